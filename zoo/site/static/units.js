// Quantities as people type them, read as zoo/ask/units.py reads them.
"use strict";
earshot.units = (function () {
  const NUMBER = /^\s*([-+]?[0-9_.]+(?:[eE][-+]?[0-9]+)?)\s*([a-zA-Z%]*)\s*$/;
  const PLAIN = /^[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][-+]?\d+)?$/;
  const COUNTS = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 };
  const SIZES = {};
  for (const [prefix, factor] of Object.entries({ ...COUNTS, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 })) {
    SIZES[prefix] = SIZES[`${prefix}B`] = factor;
  }
  const TIMES = { "": 1, us: 1e-3, ms: 1, s: 1e3 };
  const ENERGIES = { "": 1, nJ: 1e-3, uJ: 1, mJ: 1e3, J: 1e6 };
  const POWERS = { "": 1, nW: 1e-3, uW: 1, mW: 1e3, W: 1e6 };

  class Invalid extends Error {
    constructor(name, value, wanted) {
      super(`${name} = ${value} is not possible: give ${wanted}`);
      this.limit = name;
    }
  }

  function number(name, value, units, wanted) {
    if (typeof value === "number") return [value, ""];
    const match = NUMBER.exec(String(value).replaceAll(/[\u00b5\u03bc]/g, "u"));
    if (!match || !PLAIN.test(match[1]) || !Object.hasOwn(units, match[2])) throw new Invalid(name, value, wanted);
    return [Number(match[1].replaceAll("_", "")), match[2]];
  }

  const positive = (units, wanted) => (name, value) => {
    const [found, unit] = number(name, value, units, wanted);
    const amount = found * units[unit];
    if (!(amount > 0 && amount < Infinity)) throw new Invalid(name, value, wanted);
    return amount;
  };

  function interval(name, value) {
    const wanted = "a time from 0.001 ms to a day, such as 20, 20ms or 0.5s";
    const found = positive(TIMES, wanted)(name, value);
    if (!(found >= 1e-3 && found <= 86_400_000)) throw new Invalid(name, value, wanted);
    return found;
  }

  const fromZero = (units, wanted) => (name, value) => {
    const [found, unit] = number(name, value, units, wanted);
    const amount = found * units[unit];
    if (!(amount >= 0 && amount < Infinity)) throw new Invalid(name, value, wanted);
    return amount;
  };

  // A hundredth in decimals, as 95.5% is 0.955 exactly as written.
  function hundredth(value) {
    const [digits, exponent] = String(value).split("e");
    return Number(`${digits}e${Number(exponent || 0) - 2}`);
  }

  function share(name, value) {
    const wanted = "a share from 0 to 1, such as 0.955 or 95.5%";
    const [found, unit] = number(name, value, { "": 1, "%": 100 }, wanted);
    const amount = unit ? hundredth(found) : found;
    if (!(amount >= 0 && amount <= 1)) throw new Invalid(name, value, wanted);
    return amount;
  }

  // A number to so many decimals, as Python rounds: ties of its exact value to even.
  function rounded(value, decimals) {
    const exact = value.toFixed(Math.min(100, decimals + 60));
    const cut = exact.length - 60;
    const tie = /^50*$/.test(exact.slice(cut));
    const low = exact.slice(0, cut);
    return tie ? Number(Number(low.slice(-1)) % 2 ? value.toFixed(decimals) : low) : Number(value.toFixed(decimals));
  }

  // As NumPy rounds to decimals: scaled, to the nearest whole number, ties to even, and back.
  function scaled(value, decimals) {
    const factor = 10 ** decimals,
      whole = value * factor,
      low = Math.floor(whole);
    const near = whole - low > 0.5 || (whole - low === 0.5 && low % 2 !== 0) ? low + 1 : low;
    return near / factor;
  }

  // Four digits, as Python rounds: ties of the exact value to even.
  function digits(value) {
    const [exact, exponent] = value.toExponential(60).split("e"),
      low = exact.slice(0, exact.indexOf(".") + 4);
    const even = /^-?\d\.\d{3}50*$/.test(exact) && Number(low.slice(-1)) % 2 === 0;
    return even ? Number(`${low}e${exponent}`) : Number(value.toPrecision(4));
  }

  return {
    Invalid,
    share,
    interval,
    rounded,
    scaled,
    digits,
    count: positive(COUNTS, "a number above 0, such as 20e6 or 20M"),
    size: positive(SIZES, "a size above 0 in bytes, such as 64000, 64k, 64kB or 64KiB"),
    milliseconds: positive(TIMES, "a number above 0 in ms, such as 20, 20ms or 0.5s"),
    energy: positive(ENERGIES, "a number above 0 in uJ, such as 500, 500uJ or 0.5mJ"),
    power: positive(POWERS, "a number above 0 in uW, such as 500, 500uW or 0.5mW"),
    powerOrNone: fromZero(POWERS, "a number in uW, 0 or more, such as 7, 7uW or 0.1mW"),
    anHour: fromZero({ "": 1 }, "a number an hour, 0 or more, such as 4 or 0.5"),
  };
})();
