import { describe } from 'vitest';
import { requires } from '../../support/capabilities.ts';
import { sourceRaces } from '../races.ts';
import { openInotify } from './open-inotify.ts';

describe('inotify source, raced', requires('koffi'), () => sourceRaces((root, ops) => openInotify([root], { ops })));
