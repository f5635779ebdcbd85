/* Deduplication: of several that insert equal contents at once one gets FRESH.
 *
 * Steps: D1-D4 of dedup.ts. Slots and the log's head are sequentially consistent atomics. The words of an entry are stored by plain stores and loaded one by one, each a step;
 * D2 is a barrier in the code, so that nobody sees them and not the head.
 *
 * Bounds: PROBES slots, that all contents share, and all have one tag: the worst case of both hashes. EQUAL users insert the content A and OTHERS insert contents of their own
 * (B, C ...) at the same time; OLD slots are taken already, by entries of the past. The log holds LOG entries of a position and two words. With a log that is long enough and
 * as many slots as inserts nothing is forgotten, so A is FRESH once (EXACT=1). With a short log (EXACT=0) entries are written over, also by a writer who slept between D2 and D3:
 * then A may be FRESH again, but nobody may call DUPLICATE what was never there. DEATHS of users at any step. Contents of the past are as old as the log, so age adds no
 * other case: an entry too old is one that is not confirmed.
 */
#ifndef PROBES
#define PROBES 2
#endif
#ifndef EQUAL
#define EQUAL 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef OLD
#define OLD 0
#endif
#ifndef LOG
#define LOG 8
#endif
#ifndef EXACT
#define EXACT 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#define CONTENTS (1 + OTHERS)
#define NONE 255
#define INDEX(position) ((position) % LOG)
/* The hash, which is the content here, tied to the position: an entry that two have written is nobody's. */
#ifdef BUG_PLAIN_HASH
#define SEALED(content, position) ((content) + 1)
#else
#define SEALED(content, position) ((position) * 8 + (content) + 1)
#endif
/* The word of an entry of the past, which is no content of ours. */
#define PAST 100

/* A slot is 0 or the position of an entry, from 1. */
byte slots[PROBES];
byte head = 1 + OLD;
byte entryPosition[LOG];
byte entryWord1[LOG];
byte entryWord2[LOG];

byte deaths;
/* What nobody in the code knows: how often a content was answered FRESH, how often DUPLICATE. */
byte fresh[CONTENTS];
byte duplicates[CONTENTS];

inline mayDie() {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; goto died }
  fi
}

proctype User(byte content) {
  byte probe, word, oldest, position, expected;
  bool isEqual, isThere;
again:
  /* D1. */
  atomic { probe = 0; oldest = NONE; expected = NONE; isThere = false };
  do
  :: probe == PROBES || isThere -> break
  :: probe < PROBES && !isThere ->
    mayDie();
    atomic {
      word = slots[probe];
#ifdef BUG_NEWEST
      if :: expected == NONE || word > expected -> expected = word; oldest = probe :: else fi
#else
      if :: word < expected -> expected = word; oldest = probe :: else fi
#endif
    };
    if
    :: word == 0 -> probe = PROBES
    :: word != 0 ->
      /* isConfirmed: the position, every word, and only then the head. */
      isEqual = (entryPosition[INDEX(word)] == word);
      if
      :: isEqual ->
        isEqual = (entryWord1[INDEX(word)] == SEALED(content, word));
        if
        :: isEqual -> isEqual = (entryWord2[INDEX(word)] == content + 1)
        :: else
        fi;
        atomic { isThere = (isEqual && head - word <= LOG) };
      :: else
      fi;
      atomic { isEqual = false; probe++ }
    fi;
    word = 0
  od;
  if
  :: isThere ->
    atomic { duplicates[content]++; goto done }
  :: else
  fi;
  if
  :: position > expected
  :: position <= expected ->
    mayDie();
    /* D2. */
    atomic { position = head; head++ };
    mayDie();
    /* D3. */
    entryPosition[INDEX(position)] = position;
    mayDie();
    entryWord1[INDEX(position)] = SEALED(content, position);
    mayDie();
    entryWord2[INDEX(position)] = content + 1;
    if
    :: position <= expected -> goto again
    :: else
    fi
  fi;
  mayDie();
  /* D4. */
#ifdef BUG_NO_CAS
  if
  :: slots[oldest] == expected -> atomic { slots[oldest] = position; fresh[content]++; goto won }
  :: slots[oldest] != expected -> goto again
  fi;
#else
  atomic {
    if
    :: slots[oldest] == expected -> slots[oldest] = position; fresh[content]++; goto won
    :: else
#ifdef BUG_NO_SECOND_LOOK
      -> slots[oldest] = position; fresh[content]++; goto won
#else
      -> goto again
#endif
    fi
  };
#endif
won:
#if EXACT
  assert(fresh[content] == 1);
#endif
done:
died:
  skip
}

init {
  byte n;
  atomic {
    n = 0;
    do
    :: n < OLD -> slots[n] = n + 1; entryPosition[INDEX(n + 1)] = n + 1; entryWord1[INDEX(n + 1)] = PAST; entryWord2[INDEX(n + 1)] = PAST; n++
    :: else -> break
    od;
    n = 0;
    do :: n < EQUAL -> run User(0); n++ :: else -> break od;
    n = 0;
    do :: n < OTHERS -> run User(1 + n); n++ :: else -> break od
  }
  _nr_pr == 1;
  n = 0;
  do
  :: n < CONTENTS ->
#if DEATHS == 0
    assert(fresh[n] >= 1);
#endif
    assert(n == 0 || duplicates[n] == 0);
    n++
  :: n == CONTENTS -> break
  od
}
