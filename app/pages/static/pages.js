// Adds a button that copies each line of "Take it with you" and each sample, and submits the form of a page when a date is
// chosen. Samples of a service that does not know its own address get the one by which it was opened.
for (const part of document.querySelectorAll("[data-origin]")) {
  for (const code of part.querySelectorAll("code")) {
    code.textContent = code.textContent.replaceAll(part.dataset.origin, location.origin);
  }
}
for (const line of document.querySelectorAll(".copy dd, .sample")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  if (navigator.clipboard) line.append(button);
}
for (const input of document.querySelectorAll(".state input, .state select")) {
  input.addEventListener("change", () => input.form.requestSubmit());
}
