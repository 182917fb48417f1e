// Which model a look-up gives, as zoo/ask/query.py and zoo/ask/lookup.py choose it; models are in the order best first.
"use strict";
(function () {
  const { conditions } = earshot;
  const { Unknown } = conditions;

  class NoneFits extends Error {
    constructor(message, constraint, nearest) {
      super(message);
      this.constraint = constraint;
      this.nearest = nearest;
    }
  }

  // The places of all models that are spoken of.
  function pool(query) {
    const { models } = earshot.data;
    if (!models.length) throw new Unknown("the hub holds no models; publish one, or name another hub");
    const places = models.map((_, place) => place);
    const asked = places.filter((place) => !query.task || models[place].task === query.task);
    if (!asked.length) throw new Unknown(`no model for task '${query.task}' in this hub`);
    if (!query.name) return asked;
    const named = asked.filter((place) => models[place].name === query.name);
    if (!named.length) throw new Unknown(`no model of name '${query.name}' for task '${query.task}'`);
    return named;
  }

  function cheapestFirst(places) {
    const { models, cheaper_by: fields } = earshot.data;
    const apart = (one, other) =>
      fields.map((field) => models[one][field] - models[other][field]).find((more) => more !== 0) || 0;
    return [...places].sort((one, other) => apart(one, other) || one - other);
  }

  // Places that meet all conditions, best first. rival: a condition, then the cheapest first.
  function choose(query, device, rival) {
    const { models } = earshot.data;
    const onDevice = new earshot.OnDevice(query, device),
      wanted = conditions.of(query);
    if (rival) wanted.push(rival);
    const asked = pool(rival ? { ...query, name: "" } : query);
    let places = asked.filter((place) => wanted.every((one) => one.excess(models[place], place) <= 0));
    if (rival) places = cheapestFirst(places);
    if (onDevice.limiting) {
      const before = places;
      places = before.filter((place) => onDevice.meets(place));
      onDevice.checkKnown();
      if (before.length && before.every((place) => onDevice.taken(place) === null)) {
        throw new Unknown(
          `none of the ${before.length} models that fit otherwise has figures for ${device.profile}; ` +
            "`earshot profile costs` computes them",
        );
      }
    }
    if (!places.length) throw noneFits(asked, [...wanted, ...onDevice.constraints()]);
    return places;
  }

  // The binding condition is the one that the nearest model, of those that miss fewest, misses most.
  function noneFits(asked, wanted) {
    const { models } = earshot.data;
    const missed = asked.map((place) => wanted.map((one) => Math.max(0, one.excess(models[place], place))));
    const misses = missed.map((own) => own.filter((one) => one > 0).length),
      fewest = Math.min(...misses);
    const amounts = missed.map((own) => own.reduce((sum, one) => sum + one, 0));
    const near = [...asked.keys()].filter((row) => misses[row] === fewest);
    const row = near.reduce((best, one) => (amounts[one] < amounts[best] ? one : best));
    const binding = wanted[missed[row].indexOf(Math.max(...missed[row]))];
    const left = wanted.filter((_, place) => missed[row][place] > 0);
    return new NoneFits(told(wanted, left, binding, asked[row]), binding.name, models[asked[row]].name);
  }

  function told(wanted, missed, binding, place) {
    const nearest = earshot.data.models[place],
      value = (one) => one.value(nearest, place);
    const said = wanted
      .map((one) => `${one.name}=${text(one.limit)}${one.owner ? ` (of ${one.owner})` : ""}`)
      .join(", ");
    const unknown = missed.filter((one) => one.remedy && [null, Infinity].includes(value(one)));
    const plain = missed.filter((one) => !one.word && !one.owner && !unknown.includes(one));
    const words = missed.filter((one) => one.word).map((one) => one.name);
    const advice = [
      ...(plain.length ? [`ask for ${plain.map((one) => `${one.name}=${text(value(one))}`).join(", ")}`] : []),
      ...(words.length ? [`leave ${words.join(" and ")} out`] : []),
      ...new Set(unknown.map((one) => one.remedy.replace("{}", nearest.name))),
      ...new Set(
        missed
          .filter((one) => one.owner)
          .map((one) => `give ignore_limits (--ignore-limits) to go beyond what ${one.owner} has`),
      ),
    ];
    return (
      `no model has ${said}: ${binding.name} binds; the nearest is ${nearest.name} with ${text(value(binding))}; ` +
      `${advice.join(" and ")}, or loosen another constraint`
    );
  }

  function text(value) {
    if (value === null || value === undefined || value === Infinity) return "no figure";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value)) return BigInt(value).toString();
    return Math.abs(value) < 1e-4 ? value.toExponential().replace(/-(\d)$/, "-0$1") : String(value);
  }

  // The best model and the cheapest that is within noise of it, where that is another.
  function rivalsOf(query, device, best) {
    const model = earshot.data.models[best];
    if (query.name || model.basis !== conditions.MEASURED) return null;
    const [cheaper] = choose({ ...query, task: model.task }, device, conditions.cheaperWithin(model, model.low));
    return cheaper === best ? null : { best, cheaper };
  }

  // What a device knows of the model that is given, as an answer tells it.
  function onDevice(query, device, place) {
    if (!device) return null;
    const own = new earshot.OnDevice(query, device),
      taken = own.taken(place);
    if (!taken) throw new Unknown(`no figures of ${earshot.data.models[place].name} for device ${device.profile}`);
    return { ...taken, power: own.asksPower ? own.power(place) : null };
  }

  function found(query, device) {
    if (query.name && !earshot.data.models.some((model) => model.name === query.name)) {
      throw new Unknown(`no model '${query.name}' in this hub`);
    }
    const places = choose(query, device),
      rivals = rivalsOf(query, device, places[0]);
    const chosen = rivals && query.cheaper ? rivals.cheaper : places[0];
    return { kind: "found", chosen, places, rivals, taken: onDevice(query, device, chosen) };
  }

  // What `zoo.get` gives for the same limits: kind is found, none (no model fits), unknown or invalid.
  earshot.get = function (query, device) {
    try {
      return found(query, conditions.isGiven(query.device) ? device : null);
    } catch (error) {
      const { message, constraint, nearest, limit } = error;
      if (error instanceof NoneFits) return { kind: "none", message, constraint, nearest, places: [] };
      if (error instanceof Unknown) return { kind: "unknown", message, places: [] };
      if (error instanceof earshot.units.Invalid) return { kind: "invalid", message, limit, places: [] };
      throw error;
    }
  };
})();
