// A cart on a belt: 0 is the middle, positive is to the right; 1 rad of the shaft is 2 cm of belt.

const M_PER_RAD = 0.02, PX_PER_RAD = 8.8, MIDDLE = 120, HEIGHT = 126;

export const cart = {
  turns: false,
  limits: { angle: [-22, 22], speed: [-32, 32], action: [-2.2, 2.2] },
  splits: { angle: [-20, -10, 0, 10, 20], speed: [-30, -15, 0, 15, 30], action: [-2, 0, 2] },
  home: 0,
  furthestTrail: 20,
  run: (observations) => ({ angle: observations.map(([x]) => x / M_PER_RAD), speed: observations.map(([, v]) => v / M_PER_RAD) }),
  prepare() {},
  place: (angle) => `translate(${(angle * PX_PER_RAD).toFixed(2)} 0)`,
  push: (share) => `M${MIDDLE} 80H${(MIDDLE + share * 60).toFixed(1)}`,
  trail: (before, after) => `M${(MIDDLE + before * PX_PER_RAD).toFixed(2)} ${HEIGHT}H${(MIDDLE + after * PX_PER_RAD).toFixed(2)}`,
};
