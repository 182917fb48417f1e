// Buttons that copy the line beside them.
"use strict";
(function () {
  // Pages on disk may have no clipboard but this one.
  function byHand(line) {
    const range = document.createRange(),
      chosen = window.getSelection();
    range.selectNodeContents(line);
    chosen.removeAllRanges();
    chosen.addRange(range);
    return document.execCommand("copy");
  }

  async function copy(line) {
    try {
      await navigator.clipboard.writeText(line.textContent);
      return true;
    } catch (error) {
      return byHand(line);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const copied = await copy(button.parentElement.querySelector("code"));
    button.textContent = copied ? "Copied" : "Marked";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });

  earshot.command = (title, text) =>
    earshot.element(
      "div",
      { class: "command" },
      earshot.element("span", { class: "what" }, title),
      earshot.element("code", { tabindex: 0 }, text),
      earshot.element("button", { type: "button", class: "copy", "aria-label": `Copy the line for ${title}` }, "Copy"),
    );
})();
