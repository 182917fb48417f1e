// Patterns of names and words, as zoo/hubs/index.py reads them: * is any text, ? any sign, [ab] one of these.
"use strict";
earshot.like = (function () {
  const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;

  function part(text) {
    if (text === "?") return "[^\\n]";
    if (text === "[!]") return "\\[!\\]";
    const inner = text.slice(1, -1).replace(/[\\[\]^&~|]/g, "\\$&");
    return inner[0] === "!" ? `[^\\n${inner.slice(1)}]` : `[${inner}]`;
  }

  function plain(text) {
    const parts = text.split(/(\?|\[!?(?:\][^\]]*|[^\]]+)\])/);
    return parts.map((one, place) => (place % 2 ? part(one) : one.replace(SPECIAL, "\\$&"))).join("");
  }

  // Text between two stars is taken where it comes first and never looked for again, so no pattern takes long.
  function expression(pattern, anyCase) {
    const [first, ...rest] = pattern.split(/\*+/).map(plain);
    const middle = rest
      .slice(0, -1)
      .map((one, place) => `(?=([^\\n]*?${one}))\\${place + 1}`)
      .join("");
    const last = rest.length ? `[^\\n]*${rest[rest.length - 1]}` : "";
    try {
      return new RegExp(`^${first}${middle}${last}$`, anyCase ? "i" : "");
    } catch (error) {
      throw new earshot.units.Invalid("pattern", pattern, "a text, such as '*'");
    }
  }

  return (words, pattern, anyCase) => {
    const fits = expression(pattern, anyCase);
    return words.map((word) => fits.test(word));
  };
})();
