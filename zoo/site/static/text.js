// Texts of a page: what comes from a hub becomes text nodes, never markup, and hidden signs are written out.
"use strict";
var earshot = window.earshot || {};

(function () {
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]/g;
  const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;
  const SVG = "http://www.w3.org/2000/svg";

  earshot.escaped = (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

  earshot.visible = function (text) {
    if (String(text).search(HIDDEN) < 0) return String(text);
    return String(text)
      .split(new RegExp(`(${PAIR.source})`))
      .map((part) => (PAIR.test(part) ? part : part.replace(HIDDEN, earshot.escaped)))
      .join("");
  };

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== null && value !== undefined && value !== false)
        made.setAttribute(name, earshot.visible(value));
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) {
        made.append(child instanceof Node ? child : document.createTextNode(earshot.visible(child)));
      }
    }
    return made;
  }

  earshot.element = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
  earshot.drawn = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
  earshot.byId = (name) => document.getElementById(name);

  earshot.count = function (value) {
    const [whole, rest] = String(value).split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
  };
  earshot.percent = (share) => `${(100 * share).toFixed(2)}%`;

  // A bound to three digits, never less than it is, so that what one reads can be asked for.
  function roundedUp(bound) {
    const scale = 10 ** (2 - Math.floor(Math.log10(bound)));
    return bound ? Number((Math.ceil(Number((bound * scale).toFixed(6))) / scale).toPrecision(3)) : bound;
  }

  // A value of a column as people read it.
  earshot.shown = function (column, value) {
    if (value === null || value === undefined) return "-";
    if (["validation", "test", "detection_recall"].includes(column.name)) return earshot.percent(value);
    if (typeof value !== "number") return String(value);
    if (column.name === "false_alarms_upper") return earshot.count(roundedUp(value));
    return earshot.count(Number.isInteger(value) ? value : Number(value.toPrecision(3)));
  };

  // Of an amount on an axis or a slider: three digits, and M or k.
  earshot.short = function (value) {
    const [scale, letter] = value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
    return `${Number((value / scale).toPrecision(3))}${letter ? ` ${letter}` : ""}`;
  };
})();
