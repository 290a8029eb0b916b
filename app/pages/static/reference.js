// Shows the reference of the API (Swagger UI), with the tasks and operations in the order of the document.
document.documentElement.classList.toggle("dark-mode", matchMedia("(prefers-color-scheme: dark)").matches);
const place = document.getElementById("reference");
SwaggerUIBundle({
  url: place.dataset.openapi,
  domNode: place,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  tryItOutEnabled: true,
  requestSnippetsEnabled: false,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  onComplete() {
    // The page has its own main part.
    for (const part of place.querySelectorAll("main, [role=main]")) part.setAttribute("role", "presentation");
  },
});
