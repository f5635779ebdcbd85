/* Pool: records that are taken, given back, handed over, and given back for the dead.
 *
 * Steps: P1-P9 of pool.ts. Owner words, hints and summary are sequentially consistent atomics; between their steps only private memory is touched.
 *
 * Bounds: RECORDS records with a bit each in one word of hints, and its bit in the summary; USERS users that each take a record ROUNDS times and give it back, perhaps twice
 * (the second time must be refused), or keep it. A take looks at the word of hints where it left off or asks the summary, freely, so that the summary matters as it does with many
 * words. MAIL=1: the first user hands a record to a receiver, who adopts it. DEATHS of users at any step; a reclaimer gives back what they had and mends hints, and
 * may come at the same time as another one (RECLAIMERS). Two users already race for each word; records do not meet but in the word of hints.
 */
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef USERS
#define USERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef RECLAIMERS
#define RECLAIMERS 1
#endif
#ifndef MAIL
#define MAIL 0
#endif
#define NONE 255
#define ALL ((1 << RECORDS) - 1)
#define RECEIVER USERS

/* Token of user n is n + 1. */
byte owners[RECORDS];
byte hints = ALL;
bool summary = true;
byte mail = NONE;

bool dead[USERS + 1];
byte deaths;
byte ended;
bool mailEnded;
bool keeps[USERS + 1];
/* What nobody in the code knows: who uses the record. */
byte usedBy[RECORDS];

inline mayDie() {
  if
  :: true
  :: atomic {
      deaths < DEATHS -> deaths++; dead[me] = true;
      if :: index != NONE && usedBy[index] == me + 1 -> usedBy[index] = 0 :: else fi;
      goto died
    }
  fi
}

/* P6, P7. */
inline setHint(which) {
  if
  :: hints & (1 << which)
  :: !(hints & (1 << which)) -> mayDie();
#ifdef BUG_PLAIN_HINT
    seen = hints; hints = seen | (1 << which); seen = 0
#else
    atomic { hints = hints | (1 << which) }
#endif
  fi;
  mayDie();
#ifndef BUG_NO_P7
  if
  :: summary
  :: !summary -> mayDie(); summary = true
  fi
#endif
}

/* P3. */
inline takeOwner(which) {
#ifdef BUG_NO_CAS
  if
  :: owners[which] == 0 -> owners[which] = me + 1; index = which; assert(usedBy[which] == 0); usedBy[which] = me + 1
  :: owners[which] != 0
  fi
#else
  atomic {
    if
    :: owners[which] == 0 -> owners[which] = me + 1; index = which; assert(usedBy[which] == 0); usedBy[which] = me + 1
    :: else
    fi
  }
#endif
}

inline take() {
  index = NONE;
  /* P1. */
  if
  :: recent != NONE -> takeOwner(recent); recent = NONE; mayDie()
  :: recent == NONE
  fi;
  if
  :: index != NONE -> goto taken
  :: else
  fi;
  /* The word where it left off, or the one that the summary names. */
  if
  :: true
  :: !summary -> goto scan
  fi;
  bits = hints;
  do
  :: index != NONE || bits == 0 -> break
  :: index == NONE && bits != 0 ->
    atomic { if :: bits & 1 -> hint = 0 :: else -> hint = 1 fi; bits = bits & ~(1 << hint) };
    mayDie();
    /* P2. */
    atomic { before = hints; hints = hints & ~(1 << hint) };
    if
    :: before & (1 << hint) ->
      if
      :: before == (1 << hint) ->
        /* clearSummary. */
        mayDie();
        summary = false;
        mayDie();
#ifndef BUG_NO_SECOND_LOOK
        if :: hints != 0 -> mayDie(); summary = true :: hints == 0 fi
#endif
      :: else
      fi;
      mayDie();
      takeOwner(hint)
    :: else
    fi;
    atomic { before = 0; hint = 0 }
  od;
  bits = 0;
scan:
  /* P4. */
  do
  :: index != NONE || hint == RECORDS -> break
  :: index == NONE && hint < RECORDS -> mayDie();
    if :: owners[hint] == 0 -> takeOwner(hint) :: owners[hint] != 0 fi;
    hint++
  od;
  hint = 0;
taken:
  skip
}

inline give() {
  mayDie();
  /* P5. */
#ifdef BUG_GIVE_STORE
  atomic { usedBy[index] = (usedBy[index] == me + 1 -> 0 : usedBy[index]); owners[index] = 0; isGiven = true };
#else
#ifdef BUG_HINT_FIRST
  setHint(index);
#endif
  atomic {
    if
    :: owners[index] == me + 1 -> assert(usedBy[index] == me + 1); usedBy[index] = 0; owners[index] = 0; isGiven = true
    :: else -> isGiven = false
    fi
  };
#endif
  mayDie();
  if
  :: isGiven ->
#ifndef BUG_HINT_FIRST
    setHint(index);
#endif
    recent = index
  :: !isGiven
  fi;
  isGiven = false
}

proctype User(byte me) {
  byte index = NONE, recent = NONE, bits, hint, before, round, seen;
  bool isGiven;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
    take();
    if
    :: index != NONE ->
      assert(usedBy[index] == me + 1);
      if
#if MAIL
      :: atomic { me == 0 && mail == NONE && !mailEnded -> usedBy[index] = 0; mail = index }
#endif
      /* It keeps it for good. */
      :: atomic { keeps[me] = true; index = NONE }; break
      :: true ->
        give();
        /* Given twice. */
        if :: give() :: true fi
      fi
    :: else
    fi;
    atomic { index = NONE; round++ }
  od;
died:
  atomic { ended++; if :: me == 0 -> mailEnded = true :: else fi }
}

#if MAIL
/* Takes over what the first user sends. */
proctype Receiver(byte me) {
  byte index = NONE, recent = NONE, seen;
  bool isGiven;
  if
  :: atomic { mail != NONE -> index = mail };
    mayDie();
    /* P9. */
    atomic {
      if
      :: owners[index] == 1 -> owners[index] = me + 1; assert(usedBy[index] == 0); usedBy[index] = me + 1
      /* Its sender died, and it was given back: it may be anybody's. */
      :: else -> assert(dead[0]); index = NONE
      fi
    };
    if :: index != NONE -> give() :: else fi
  :: atomic { mailEnded && mail == NONE }
  fi;
died:
  skip
}
#endif

/* P6, P7 of somebody who does not die. */
inline reclaimed(which) {
  if :: hints & (1 << which) :: !(hints & (1 << which)) -> atomic { hints = hints | (1 << which) } fi;
  if :: summary :: !summary -> summary = true fi
}

/* reclaimDead: what the dead had, then the hints that they lost. */
proctype Reclaimer() {
  byte index = NONE, which, done;
end_waiting:
  do
  :: atomic { deaths > done -> done = deaths };
    do
    :: which < RECORDS ->
      /* P8. */
      if
      :: owners[which] != 0 && dead[owners[which] - 1] ->
        atomic { if :: owners[which] != 0 && dead[owners[which] - 1] -> owners[which] = 0; index = which :: else fi };
        if :: index != NONE -> reclaimed(which) :: else fi;
        index = NONE
      :: !(owners[which] != 0 && dead[owners[which] - 1])
      fi;
      which++
    :: which == RECORDS -> break
    od;
    which = 0;
#ifndef BUG_NO_REPAIR
    do
    :: which < RECORDS ->
      if :: owners[which] == 0 -> reclaimed(which) :: owners[which] != 0 fi;
      which++
    :: which == RECORDS -> break
    od;
    which = 0
#endif
  od
}

/* Nothing can go on: what is not kept, or was left with the sender by a receiver who died, is free, and whoever looks finds it. */
proctype Judge() {
  byte k;
  timeout;
  assert(ended == USERS);
  do
  :: k < RECORDS ->
    if
    :: owners[k] == 0 -> assert((hints & (1 << k)) && summary)
    :: owners[k] != 0 -> assert(!dead[owners[k] - 1] && (keeps[owners[k] - 1] || k == mail && owners[k] == 1 && dead[RECEIVER]))
    fi;
    k++
  :: k == RECORDS -> break
  od
}

init {
  byte n;
  atomic {
    do :: n < USERS -> run User(n); n++ :: else -> break od;
#if MAIL
    run Receiver(RECEIVER);
#endif
    n = 0;
    do :: n < RECLAIMERS && DEATHS > 0 -> run Reclaimer(); n++ :: else -> break od;
    run Judge()
  }
}
