import { describe, expect, it } from 'vitest';

interface Sample {
  figures: Record<string, number>;
  checksum: string;
}

// Plain JavaScript, because it also runs where nothing is compiled.
const { alternate, makeContext, median, percentile, summarize } = await import(
  '../../bench/harness/measure.mjs' as string
);
const { missesOf } = await import('../../bench/harness/goals.mjs' as string);
const { parseOptions } = await import('../../bench/harness/options.mjs' as string);

const context = makeContext({ smoke: true, seconds: 1, seed: 1, note: () => {} });
const sample = (value: number, checksum = 'same'): Sample => ({ figures: { '': value }, checksum });

describe('measuring', () => {
  it('alternates subject and rival, and leaves the warm-up out', async () => {
    const order: string[] = [];
    const measured = await alternate(context, {
      subject: async () => {
        order.push('A');
        return sample(order.length);
      },
      rivals: {
        other: async () => {
          order.push('B');
          return sample(order.length);
        },
      },
    });
    expect(order.join('')).toBe('AB'.repeat(context.runs + 1));
    expect(measured.subject).toHaveLength(context.runs);
    expect(measured.rivals.other).toHaveLength(context.runs);
    expect(measured.subject[0].figures['']).toBe(3);
  });

  it('refuses to compare different work', async () => {
    const different = alternate(context, {
      subject: async () => sample(1),
      rivals: { other: async () => sample(1, 'else') },
    });
    await expect(different).rejects.toThrow('checksum=same, of other else');
  });

  it('gives medians, and a ratio above 1 when we are better, whichever way is better', () => {
    const subject = [1, 2, 30].map((value) => sample(value));
    const rivalSamples = [4, 4, 4].map((value) => sample(value));
    const row = { id: 'x', unit: 'ns', subject, rival: 'other', rivalSamples };
    expect(summarize({ ...row, better: 'lower' })).toMatchObject({
      value: 2,
      ratio: 2,
      min: 1,
      median: 2,
      max: 30,
      runs: 3,
    });
    expect(summarize({ ...row, better: 'higher' })).toMatchObject({ value: 2, rivalValue: 4, ratio: 0.5 });
  });

  it('leaves the rival empty when there is none', () => {
    const row = { id: 'x', unit: 'ns', better: 'lower', subject: [sample(1)] };
    expect(summarize({ ...row, rival: 'other', rivalSamples: [] })).toMatchObject({
      rival: null,
      rivalValue: null,
      ratio: null,
    });
  });

  it('takes percentiles between neighbours', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(percentile([1, 2, 3, 4], 1)).toBe(4);
    expect(percentile([5], 0.99)).toBe(5);
    expect(median([3, 1, 2])).toBe(2);
  });
});

describe('goals', () => {
  const result = { id: 'kernel.capture', value: 400_000, ratio: 2, lost: 0 };

  it('are held against value, ratio and loss', () => {
    expect(missesOf(result)).toEqual([]);
    expect(missesOf({ ...result, lost: 1 })).toEqual(['lost=1, goal <= 0']);
    expect(missesOf({ ...result, value: 1000 })).toEqual(['value=1000, goal >= 300000']);
    expect(missesOf({ id: 'ring.spsc.parked', value: 1, ratio: 4 })).toEqual(['ratio=4, goal >= 5']);
  });

  it('say nothing about a rival that is not to be had', () => {
    expect(missesOf({ id: 'ring.spsc.parked', value: 1, ratio: null })).toEqual([]);
  });
});

describe('options', () => {
  it('are short when they smoke', () => {
    expect(parseOptions(['ring', '--smoke']).seconds).toBeLessThan(1);
    expect(parseOptions(['--seconds', '3', '--json'])).toMatchObject({ seconds: 3, json: true, ids: [] });
  });
});
