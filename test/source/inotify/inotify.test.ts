import { describe } from 'vitest';
import { attachInotify, openInotifyReader } from '../../../src/source/inotify/index.ts';
import { requires } from '../../support/capabilities.ts';
import { sourceConformance } from '../conformance.ts';
import { arenaForSource, Harness, sourceOptions } from '../source-harness.ts';

function openInotify(root: string): Harness {
  const options = sourceOptions({ paths: [root] });
  const arena = arenaForSource(options.ringCapacity);
  const host = attachInotify(arena, options);
  return new Harness({ arena, host, reader: openInotifyReader(arena, host.plan) });
}

describe('inotify source', requires('koffi'), () => {
  sourceConformance({ factory: openInotify });
});
