// Defines <counterclaim-topic slug="…"> and <counterclaim-claim claim="…">: each shows a card in a frame that takes
// the height of its content. Further attributes: theme ("light" or "dark"), known-on, recorded-as-of, tolerance.
const base = new URL(".", import.meta.url);
const STATE = ["known-on", "recorded-as-of", "tolerance"];

class Card extends HTMLElement {
  static observedAttributes = ["slug", "claim", "theme", ...STATE];

  connectedCallback() {
    this.style.display = "block";
    this.frame = document.createElement("iframe");
    Object.assign(this.frame, { width: "100%", height: 320, loading: "lazy", title: "Counterclaim" });
    this.frame.style.border = "0";
    this.frame.setAttribute("sandbox", "allow-scripts allow-popups allow-popups-to-escape-sandbox");
    this.onMessage = ({ source, data }) => {
      const height = Number(data?.value);
      if (source === this.frame.contentWindow && data.message === "height" && height > 0) {
        this.frame.height = Math.min(Math.ceil(height), 4000);
      }
    };
    addEventListener("message", this.onMessage);
    this.show();
    this.replaceChildren(this.frame);
  }

  disconnectedCallback() {
    removeEventListener("message", this.onMessage);
  }

  attributeChangedCallback() {
    if (this.frame) this.show();
  }

  show() {
    const address = new URL(`embed/${this.path}`, base);
    for (const name of ["theme", ...STATE]) {
      if (this.hasAttribute(name)) address.searchParams.set(name.replaceAll("-", "_"), this.getAttribute(name));
    }
    if (this.frame.src !== address.href) this.frame.src = address;
  }
}

customElements.define("counterclaim-topic", class extends Card {
  get path() { return `topics/${encodeURIComponent(this.getAttribute("slug") ?? "")}`; }
});
customElements.define("counterclaim-claim", class extends Card {
  get path() { return `claims/${encodeURIComponent(this.getAttribute("claim") ?? "")}`; }
});
