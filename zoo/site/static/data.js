// What the page knows: models and devices, handed over by scripts, since a page on disk cannot read files.
"use strict";
earshot.data = (function () {
  const given = new Map(),
    waiting = new Map();
  const data = {};

  data.hub = function (values) {
    Object.assign(data, values);
  };

  data.device = function (number, values) {
    given.set(number, { ...data.devices[number], ...values });
  };

  // The figures of a device, loaded when they are first asked for.
  data.onDevice = function (number) {
    if (given.has(number)) return Promise.resolve(given.get(number));
    if (!waiting.has(number)) {
      waiting.set(
        number,
        new Promise((kept, failed) => {
          const script = document.createElement("script");
          script.src = `data/device-${number}.js`;
          script.onload = () => kept(given.get(number));
          script.onerror = () => failed(new Error(`${script.src} cannot be read; write the page again`));
          document.head.append(script);
        }),
      );
    }
    return waiting.get(number);
  };

  data.known = (number) => given.get(number);
  return data;
})();
