// Globs for paths: '*' and '?' stay inside a name, '**' crosses directories, [abc], [a-z], [!a] and {a,b} as in a shell, '\' takes the next character as it
// is. Without a '/' a glob is compared with the last name of the path. Users write globs, so matching must not explode: all ways through a pattern are
// followed at once, none is tried after another.

import { CausewayError } from '../base/errors.ts';

/** Stays where it is for any character but '/'. */
const STAR = 1;
/** Stays where it is for any character. */
const GLOBSTAR = 2;
/** '**' and its slash: nothing, or anything that ends with a '/'. It is two tokens: this one can be left at once, both ways. */
const DIRECTORIES = 3;
/** Stays where it is for any character, and goes on behind a '/'. */
const DIRECTORIES_BODY = 4;
/** One character but '/'. */
const ANY = 5;
type Token = typeof STAR | typeof GLOBSTAR | typeof DIRECTORIES | typeof DIRECTORIES_BODY | typeof ANY | CharacterTest;
type CharacterTest = (character: string) => boolean;

const ALTERNATIVES_MAX = 256;
const GLOB_LENGTH_MAX = 4096;

export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

/** @throws CausewayError CONFIG_INVALID when its braces make too many alternatives. */
export function compileGlob(pattern: string): (path: string) => boolean {
  if (pattern.length > GLOB_LENGTH_MAX) {
    throw new CausewayError('CONFIG_INVALID', `glob: length=${pattern.length}, lengthMax=${GLOB_LENGTH_MAX}`);
  }
  const alternatives = expandBraces(pattern).map((text) => tokenize(text.includes('/') ? text : `**/${text}`));
  return (path) => alternatives.some((tokens) => matchTokens(tokens, path));
}

/** 'a{b,c}d' -> 'abd', 'acd'. An unmatched brace is a character like others. */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  while (open.length > 0) {
    const text = open.pop() as string;
    const match = /\{([^{}]*,[^{}]*)\}/.exec(text);
    if (match === null) {
      done.push(text);
    } else {
      const before = text.slice(0, match.index);
      const after = text.slice(match.index + match[0].length);
      for (const part of (match[1] as string).split(',')) open.push(before + part + after);
    }
    if (done.length + open.length > ALTERNATIVES_MAX) {
      throw new CausewayError('CONFIG_INVALID', `glob ${pattern}: more than ${ALTERNATIVES_MAX} alternatives`);
    }
  }
  return done;
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string;
    if (character === '*' && pattern[at + 1] === '*') {
      const isName = at === 0 || pattern[at - 1] === '/';
      while (pattern[at + 1] === '*') at += 1;
      if (isName && pattern[at + 1] === '/') {
        tokens.push(DIRECTORIES, DIRECTORIES_BODY);
        at += 1;
      } else {
        tokens.push(GLOBSTAR);
      }
    } else if (character === '*') {
      tokens.push(STAR);
    } else if (character === '?') {
      tokens.push(ANY);
    } else if (character === '[' && pattern.indexOf(']', at + 2) > 0) {
      const end = pattern.indexOf(']', at + 2);
      tokens.push(characterClass(pattern.slice(at + 1, end)));
      at = end;
    } else {
      if (character === '\\' && at + 1 < pattern.length) at += 1;
      const literal = pattern[at] as string;
      tokens.push((found) => found === literal);
    }
  }
  return tokens;
}

/** What is between the brackets: single characters and ranges; '!' or '^' first turns it around. Never a '/'. */
function characterClass(text: string): CharacterTest {
  const isNegated = text.startsWith('!') || text.startsWith('^');
  const body = isNegated ? text.slice(1) : text;
  const ranges: [from: string, to: string][] = [];
  for (let at = 0; at < body.length; at++) {
    const from = body[at] as string;
    const isRange = body[at + 1] === '-' && at + 2 < body.length;
    ranges.push([from, isRange ? (body[at + 2] as string) : from]);
    if (isRange) at += 2;
  }
  return (found) => found !== '/' && ranges.some(([from, to]) => from <= found && found <= to) !== isNegated;
}

/** All places in the pattern at once, one step for each character: pattern length * path length, whatever the pattern. */
function matchTokens(tokens: readonly Token[], path: string): boolean {
  let places = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  enter(tokens, places, 0);
  for (let at = 0; at < path.length; at++) {
    const character = path[at] as string;
    next.fill(0);
    let isAlive = false;
    for (let place = 0; place < tokens.length; place++) {
      if (places[place] === 0 || !step(tokens, next, place, character)) continue;
      isAlive = true;
    }
    if (!isAlive) return false;
    [places, next] = [next, places];
  }
  return places[tokens.length] === 1;
}

/** Where the token at `place` leads with this character; false if nowhere. */
function step(tokens: readonly Token[], next: Uint8Array, place: number, character: string): boolean {
  const token = tokens[place] as Token;
  const isSlash = character === '/';
  if (token === STAR) {
    if (!isSlash) enter(tokens, next, place);
    return !isSlash;
  }
  if (token === GLOBSTAR) {
    enter(tokens, next, place);
    return true;
  }
  if (token === DIRECTORIES) return false;
  if (token === DIRECTORIES_BODY) {
    next[place] = 1;
    if (isSlash) enter(tokens, next, place + 1);
    return true;
  }
  const fits = token === ANY ? !isSlash : token(character);
  if (fits) enter(tokens, next, place + 1);
  return fits;
}

/** Marks a place, and all that can be reached from it without a character. */
function enter(tokens: readonly Token[], places: Uint8Array, first: number): void {
  let place = first;
  while (places[place] === 0) {
    places[place] = 1;
    const token = tokens[place];
    if (token === STAR || token === GLOBSTAR) place += 1;
    else if (token === DIRECTORIES) {
      places[place + 1] = 1;
      place += 2;
    }
  }
}
