// The owner's pages People and Webhooks: a new secret is copied with one press, where the browser allows it.

const button = document.querySelector("[data-copy]");
if (button && navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("[data-secret]").textContent);
    button.textContent = "Copied";
  });
}
