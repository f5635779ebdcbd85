import { describe } from 'vitest';
import { requires } from '../../support/capabilities.ts';
import { sourceConformance } from '../conformance.ts';
import { onOwnFileSystem, openFanotify } from './open-fanotify.ts';

describe('fanotify source', requires('mount'), () => {
  onOwnFileSystem();
  sourceConformance({ factory: (root) => openFanotify([root]) });
});
