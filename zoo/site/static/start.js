/* A panel in each element that asks for a model by data-earshot-try. */
"use strict";

for (const element of document.querySelectorAll("[data-earshot-try]")) {
    EarshotTry.mount(element, element.dataset.earshotTry);
}
