// The average power of a stream on a device, as zoo/run/power.py and predictors/power.py compute it.
"use strict";
earshot.power = (function () {
  const { units } = earshot;
  const ROUNDING = 1e-9;
  const TIMES = ["latency_ms", "low_ms", "high_ms"],
    ENERGIES = ["energy_uj", "energy_low_uj", "energy_high_uj"];

  // How often answers come, and what one computes.
  function paceOf(model, every) {
    const pace = model.pace,
      asked = every === null ? pace.clip_ms : every;
    const own = asked < pace.clip_ms ? pace.own_ms : null;
    if (own === null) {
      return { every: asked, own, macs: model.macs, frontend: model.frontend_macs, network: 1, front: 1, runs: 1 };
    }
    const count = Math.max(1, Math.floor(asked / own + ROUNDING));
    const macs = pace.macs[count - 1],
      frontend = pace.frontend_macs[count - 1];
    return {
      every: count * own,
      own,
      macs,
      frontend,
      network: macs / model.macs,
      front: frontend / Math.max(1, model.frontend_macs),
      runs: count,
    };
  }

  function frontShare(taken) {
    if (taken.latency_ms) return taken.frontend_ms / taken.latency_ms;
    return taken.instructions ? taken.frontend_instructions / taken.instructions : 0;
  }

  // What an answer takes at that pace, of what one on a whole clip takes.
  function charged(taken, pace, beside) {
    if (pace.own === null) return taken;
    const part = frontShare(taken),
      found = { ...taken };
    for (const [names, target] of [
      [TIMES, "latency_ms"],
      [ENERGIES, "energy_uj"],
    ]) {
      const own = beside[target] || 0,
        share = pace.runs * own + (1 - own) * pace.network;
      const factor = (1 - part) * share + part * pace.front;
      for (const name of names) if (taken[name] !== null) found[name] = units.digits(factor * taken[name]);
    }
    return found;
  }

  function scaled(anchor, asleep, perSecond) {
    if (asleep > anchor.power_uw) {
      throw new units.Invalid(
        "sleep_power_uw",
        asleep,
        `${anchor.power_uw} or less, which ${anchor.system} took on average`,
      );
    }
    const duty = anchor.duty || 0,
      awake = anchor.power_uw - asleep * (1 - duty);
    return asleep + perSecond * (awake / anchor.macs_per_second - asleep * (duty / anchor.macs_per_second));
  }

  function spent(supply, asleep, energy, latency, pace) {
    if (supply.anchor)
      return units.digits(scaled(supply.anchor, asleep, (1000 * (pace.macs + pace.frontend)) / pace.every));
    const duty = (latency === null ? 0 : latency) / pace.every;
    const awake = supply.active_power_uw === null ? (1000 * energy) / pace.every : supply.active_power_uw * duty;
    return units.digits(Math.max(awake, asleep * duty) + asleep * Math.max(0, 1 - duty));
  }

  function checkSleep(asleep, { active_power_uw: active }) {
    if (active === null || asleep <= active) return;
    throw new units.Invalid("sleep_power_uw", asleep, `${active} or less, which the device takes while it computes`);
  }

  // power_uw, high_uw (null where it is scaled), every_ms, answer_ms and answer_high_ms. every, sleep: as asked, null for none.
  return function (model, taken, device, beside, every, sleep) {
    const { supply } = device;
    if (supply.error) throw new earshot.conditions.Unknown(supply.error);
    const asleep = (sleep === null ? supply.sleep_power_uw : sleep) || 0;
    checkSleep(asleep, supply);
    const pace = paceOf(model, every),
      own = charged(taken, pace, beside || {});
    const late = supply.active_power_uw === null ? own.latency_ms : own.high_ms;
    return {
      power_uw: spent(supply, asleep, own.energy_uj, own.latency_ms, pace),
      high_uw: supply.anchor ? null : spent(supply, asleep, own.energy_high_uj, late, pace),
      every_ms: pace.every,
      answer_ms: own.latency_ms,
      answer_high_ms: own.high_ms,
      by: supply.by,
    };
  };
})();
