// The part of an address behind #, which holds a query, so that a look-up can be sent.
"use strict";
earshot.address = (function () {
  const SWITCHES = ["cheaper", "unproven", "sure", "ignore_limits"],
    EITHER = ["commercial", "streaming"];
  const TEXTS = [
    "task",
    "name",
    "bits",
    "activation_bits",
    "min_accuracy",
    "max_false_alarms",
    "min_recall",
    "family",
    "licence",
    "dataset",
    "device",
    "every_ms",
    "sleep_power_uw",
  ];

  const names = () => [...TEXTS, ...earshot.data.limits.map((limit) => limit.name)];

  // A query without what asks for nothing.
  function tidy(query) {
    const found = {};
    for (const name of names()) if (earshot.conditions.isGiven(query[name])) found[name] = String(query[name]);
    if (query.words && query.words.length) found.words = [...query.words];
    for (const name of EITHER) if (typeof query[name] === "boolean") found[name] = query[name];
    for (const name of SWITCHES) if (query[name]) found[name] = true;
    return found;
  }

  function write(query) {
    const said = new URLSearchParams();
    for (const [name, value] of Object.entries(tidy(query)))
      for (const one of [value].flat()) said.append(name, String(one));
    return `#${said}`;
  }

  // What is not known is left out; of two limits on the same figure the page has one, and takes the lower.
  function read(hash) {
    const said = new URLSearchParams(hash.replace(/^#/, "")),
      query = {};
    for (const name of names()) if (said.has(name)) query[name] = said.get(name);
    if (said.has("words")) query.words = said.getAll("words").filter(Boolean);
    for (const name of EITHER) if (["true", "false"].includes(said.get(name))) query[name] = said.get(name) === "true";
    for (const name of SWITCHES) if (said.get(name) === "true") query[name] = true;
    return tidy(merged(query));
  }

  function merged(query) {
    for (const limit of earshot.data.limits) {
      const first = earshot.data.limits.find((one) => one.field === limit.field);
      if (first !== limit && query[limit.name] !== undefined) {
        query[first.name] = lower(limit, query[first.name], query[limit.name]);
        delete query[limit.name];
      }
    }
    return query;
  }

  // One that cannot be read is taken, so that the answer says so.
  function lower(limit, one, other) {
    if (!earshot.conditions.isGiven(one) || !earshot.conditions.isGiven(other))
      return earshot.conditions.isGiven(one) ? one : other;
    const amount = (text) => {
      try {
        return earshot.units[limit.reads](limit.name, text);
      } catch (error) {
        if (!(error instanceof earshot.units.Invalid)) throw error;
        return -1;
      }
    };
    return amount(other) < amount(one) ? other : one;
  }

  return { EITHER, SWITCHES, read, tidy, write };
})();
