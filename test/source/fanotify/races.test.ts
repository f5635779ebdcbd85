import { describe } from 'vitest';
import { requires } from '../../support/capabilities.ts';
import { sourceRaces } from '../races.ts';
import { onOwnFileSystem, openFanotify } from './open-fanotify.ts';

describe('fanotify source, raced', requires('fanotify'), () => {
  onOwnFileSystem();
  sourceRaces((root, ops) => openFanotify([root], { ops }));
});
