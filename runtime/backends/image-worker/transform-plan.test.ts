import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type ImageTransform } from '../../../sdk/contract/services/images.ts';
import { planSteps } from './transform-plan.ts';

const size = { width: 400, height: 200 };

test.each<[ImageTransform, object]>([
  [
    { kind: 'resize', width: 100, height: 100, cropToFit: true },
    { extract: { left: 100, top: 0, width: 200, height: 200 }, resize: { width: 100, height: 100 } },
  ],
  [{ kind: 'resize', width: 100, height: 100, cropToFit: true, cropOffsetX: 0 }, { extract: { left: 0, top: 0, width: 200, height: 200 } }],
  [
    { kind: 'resize', width: 400, height: 100, cropToFit: true, cropOffsetY: 1 },
    { extract: { left: 0, top: 100, width: 400, height: 100 } },
  ],
  [{ kind: 'crop', left: 0.25, top: 0.5, right: 0.75, bottom: 1 }, { extract: { left: 100, top: 100, width: 200, height: 100 } }],
  [{ kind: 'crop', left: 0.999, top: 0.999, right: 1, bottom: 1 }, { extract: { left: 399, top: 199, width: 1, height: 1 } }],
])('%j is exact', (transform, step) => {
  expect(planSteps(size, [transform]).steps).toMatchObject([step]);
});

test('a turn by nothing is no step', () => {
  expect(planSteps(size, [{ kind: 'rotate', degrees: 720 }]).steps).toEqual([]);
});

test('a long picture that fills a box does not become a giant on its way', () => {
  const { steps } = planSteps({ width: 1, height: 40_000 }, [{ kind: 'resize', width: 4_000, height: 4_000, cropToFit: true }]);
  expect(steps).toMatchObject([{ extract: { width: 1, height: 1 }, resize: { width: 4_000, height: 4_000 } }]);
});

test('a result beyond the limit is refused, also in the middle', () => {
  const tooLong = expect.objectContaining({ code: 'IMAGE_TRANSFORM_INVALID' });
  expect(() =>
    planSteps({ width: 1, height: 40_000 }, [
      { kind: 'resize', width: 4_000 },
      { kind: 'resize', width: 1 },
    ]),
  ).toThrow(tooLong);
  expect(() => planSteps({ width: 4_001, height: 1 }, [{ kind: 'verticalFlip' }])).toThrow(tooLong);
  expect(
    planSteps({ width: 8_000, height: 8_000 }, [
      { kind: 'rotate', degrees: 90 },
      { kind: 'resize', width: 100 },
    ]).size.width,
  ).toBe(100);
});

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const side = fc.integer({ min: 1, max: LIMITS.imageSideMax });
const transforms = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('resize' as const),
      width: side,
      height: side,
      cropToFit: fc.boolean(),
      cropOffsetX: fraction,
      cropOffsetY: fraction,
    }),
    fc.record({ kind: fc.constant('resize' as const), width: side }),
    fc
      .tuple(fraction, fraction, fraction, fraction)
      .filter(([a, b, c, d]) => a !== b && c !== d)
      .map(([a, b, c, d]) => ({
        kind: 'crop' as const,
        left: Math.min(a, b),
        right: Math.max(a, b),
        top: Math.min(c, d),
        bottom: Math.max(c, d),
      })),
    fc.record({ kind: fc.constant('rotate' as const), degrees: fc.integer({ min: -9, max: 9 }).map((turns) => turns * 90) }),
  ),
  { maxLength: 10 },
);

test('whatever is asked: every part lies within its picture, and the size is known', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50_000 }), fc.integer({ min: 1, max: 50_000 }), transforms, (width, height, asked) => {
      let at = { width, height };
      let plan;
      try {
        plan = planSteps(at, asked);
      } catch (error) {
        expect(error).toMatchObject({ code: 'IMAGE_TRANSFORM_INVALID' });
        return;
      }
      for (const step of plan.steps) {
        if (step.kind === 'rotate' && step.degrees % 180 !== 0) at = { width: at.height, height: at.width };
        if (step.kind !== 'reshape') continue;
        const { extract = { left: 0, top: 0, ...at }, resize } = step;
        expect(Math.min(extract.left, extract.top)).toBeGreaterThanOrEqual(0);
        expect(Math.min(extract.width, extract.height)).toBeGreaterThanOrEqual(1);
        expect(extract.left + extract.width).toBeLessThanOrEqual(at.width);
        expect(extract.top + extract.height).toBeLessThanOrEqual(at.height);
        // Not the part itself: its place in the picture before is none in the next.
        const after = resize ?? extract;
        at = { width: after.width, height: after.height };
      }
      expect(plan.size).toEqual({ width: at.width, height: at.height });
      expect(Math.max(at.width, at.height)).toBeLessThanOrEqual(LIMITS.imageSideMax);
    }),
  );
});
