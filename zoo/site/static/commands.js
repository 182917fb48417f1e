// The line of Python and of the shell that ask what the page asks.
"use strict";
earshot.commands = (function () {
  const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/,
    SIGNS = /[\p{C}\p{Zl}\p{Zp}]/u;
  const SIGN = new RegExp(SIGNS.source, "gu"),
    NUMBERS = ["bits", "activation_bits"];

  // Signs that are not seen are written out: nobody would know what they paste.
  const escaped = (sign) => [...Array(sign.length).keys()].map((place) => earshot.escaped(sign[place])).join("");

  const wide = (sign) => `\\U${sign.codePointAt(0).toString(16).padStart(8, "0")}`;

  function python(value) {
    if (typeof value === "boolean") return value ? "True" : "False";
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    const text = String(value).replace(/[\\"]/g, "\\$&");
    return `"${text.replace(SIGN, (sign) => (sign.length > 1 ? wide(sign) : escaped(sign)))}"`;
  }

  function shell(value) {
    const text = String(value);
    if (PLAIN.test(text)) return text;
    if (!SIGNS.test(text)) return `'${text.replaceAll("'", "'\"'\"'")}'`;
    const inner = text.replace(/[\\']/g, "\\$&");
    return `$'${inner.replace(SIGN, (sign) => (sign.length > 1 ? wide(sign) : escaped(sign)))}'`;
  }

  function argument(name, value) {
    const whole = NUMBERS.includes(name) && /^\d+$/.test(value);
    return `${name}=${whole ? value : python(value)}`;
  }

  function ofPython(query) {
    const { hubs } = earshot.data,
      place = hubs.length > 1 ? { hub: hubs } : hubs.length ? { hub: hubs[0] } : {};
    const all = { ...earshot.address.tidy(query), ...place };
    return `zoo.get(${Object.entries(all)
      .map(([name, value]) => argument(name, value))
      .join(", ")})`;
  }

  const option = (name) => `--${name.replaceAll("_", "-")}`;

  function given(name, value) {
    if (value === true) return option(name);
    if (value === false) return `--no-${option(name).slice(2)}`;
    return String(value).startsWith("-") ? `${option(name)}=${shell(value)}` : `${option(name)} ${shell(value)}`;
  }

  // Words come last, since their option takes all that follows.
  function ofShell(query) {
    const { words = [], ...rest } = earshot.address.tidy(query);
    const said = [...Object.entries(rest), ...earshot.data.hubs.map((hub) => ["hub", hub])].map((pair) =>
      given(...pair),
    );
    const dashed = words.filter((word) => word.startsWith("-")).map((word) => `--words=${shell(word)}`);
    const plain = words.filter((word) => !word.startsWith("-")).map(shell);
    return ["earshot get", ...said, ...dashed, ...(plain.length ? ["--words", ...plain] : [])].join(" ");
  }

  return { python: ofPython, shell: ofShell };
})();
