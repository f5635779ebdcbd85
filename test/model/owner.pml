/* Who owns a slot, and who takes it back: reapers, a new owner, and a producer that leaves a slow consumer behind.
 *
 * Steps: takeOwnership (T1-T4), giveOwnership (T5), reapSlot (X1-X4), forgetConsumer and leaveBehind (E1-E3), expireAt, QueueConsumer.open and close with queueJoin
 * and queueLeave. The words are sequentially consistent atomics. Whether an owner lives is asked of the system: the answer is true at that moment, and dead
 * stays dead (a token has the start time of its thread, so that an id used again is another owner).
 *
 * Bounds: one slot, whose first consumer joins and dies or closes, at any step; REAPERS reapers, COMERS new consumers, each of which may die at any step (DEATHS in all), and one
 * producer that decides once that the consumer at position 0 is too slow. Slots do not meet; more reapers only repeat the race of two for one word.
 */
#ifndef REAPERS
#define REAPERS 2
#endif
#ifndef COMERS
#define COMERS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define TOKENS (1 + COMERS + REAPERS)
#define SLOW 1

/* Token of thread n is n + 1. */
byte owner;
byte joined;
byte cursor;
bool sleeper;

bool dead[TOKENS];
byte deaths;
/* What nobody in the code knows: how many living ones act as the owner; which consumer joined last, and whether it is still there. */
byte acting;
byte present;

inline mayDie() {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; dead[me] = true; if :: isActing -> acting-- :: else fi; if :: present == me + 1 -> present = 0 :: else fi; goto died }
  fi
}

inline act() {
  isActing = true; acting++; assert(acting == 1)
}

/* isTaken, adopted = the dead owner that it was taken from. */
inline takeOwnership() {
  isTaken = false; adopted = 0;
  /* T1. */
  atomic { holder = owner; if :: holder == 0 -> owner = me + 1; isTaken = true; act() :: else fi };
  do
  :: isTaken -> break
  :: !isTaken ->
    mayDie();
    /* T2. */
    if
    :: !dead[holder - 1] -> break
    :: dead[holder - 1]
    fi;
#ifdef BUG_NO_CAS
    atomic { owner = me + 1; isTaken = true; adopted = holder; act() }
#else
    /* T3. */
    atomic {
      if
      :: owner == holder -> owner = me + 1; isTaken = true; adopted = holder; act()
      :: else -> holder = owner
      fi
    };
    /* T4. */
    if
    :: !isTaken && holder == 0 ->
      atomic { holder = owner; if :: holder == 0 -> owner = me + 1; isTaken = true; act() :: else fi }
    :: else
    fi
#endif
  od;
  holder = 0
}

/* T5. */
inline giveOwnership() {
  atomic {
    isActing = false; acting--;
    if :: owner == me + 1 -> owner = 0 :: else fi
  }
}

/* Of a slot that the caller owns now. */
inline forgetConsumer() {
  sleeper = false;
  mayDie();
  /* E1. */
  value = joined;
  mayDie();
  if
  :: value % 2 == 1 ->
    /* E3. */
    atomic { if :: joined == value -> assert(present == 0); joined = value + 1 :: else fi }
  :: value % 2 == 0
  fi;
  value = 0
}

proctype Consumer(byte me; bool isFirst) {
  byte holder, adopted, value;
  bool isTaken, isActing;
  takeOwnership();
  if
  :: !isTaken -> goto closed
  :: isTaken
  fi;
  mayDie();
  if
  :: adopted != 0 -> forgetConsumer(); mayDie()
  :: adopted == 0
  fi;
  assert(!sleeper);
  /* queueJoin: the cursor, then joined. */
  cursor = SLOW + 1;
  if :: isFirst -> cursor = SLOW :: !isFirst fi;
  mayDie();
  value = joined;
#ifdef BUG_JOINED_FLAG
  atomic { joined = 1; present = me + 1; value = 0 };
#else
  atomic { joined = value + 1 + (value & 1); present = me + 1; value = 0 };
#endif
  mayDie();
  sleeper = true;
  mayDie();
  sleeper = false;
  if
  :: true -> mayDie(); cursor = SLOW + 1
  :: true
  fi;
  mayDie();
  /* queueLeave. */
  value = joined;
  present = 0;
  mayDie();
  if
#ifdef BUG_JOINED_FLAG
  :: value % 2 == 1 -> joined = 0
#else
  :: value % 2 == 1 -> atomic { if :: joined == value -> joined = value + 1 :: else fi }
#endif
  :: value % 2 == 0
  fi;
  mayDie();
  giveOwnership();
  goto closed;
died:
closed:
  skip
}

proctype Reaper(byte me) {
  byte holder, adopted, value;
  bool isTaken, isActing;
  /* X1. */
  holder = owner;
  mayDie();
  /* X2. */
  if
  :: holder == 0 || !dead[holder - 1] -> goto done
  :: else
  fi;
#ifdef BUG_MEND_FIRST
  forgetConsumer();
#endif
  /* X3. */
  takeOwnership();
  if
  :: !isTaken -> goto done
  :: isTaken
  fi;
  mayDie();
#ifdef BUG_FREE_FIRST
  atomic { owner = 0; isActing = false; acting-- };
#endif
  if
  :: adopted != 0 -> forgetConsumer(); mayDie()
  :: adopted == 0
  fi;
  /* X4. */
#ifndef BUG_FREE_FIRST
  atomic { owner = 0; isActing = false; acting-- };
#endif
died:
done:
  skip
}

/* expireAt: the decision, then leaveBehind. */
proctype Expirer() {
  byte value, decided;
#ifdef BUG_STALE_EXPIRE
  /* The decision first, then the word. */
  atomic { cursor == SLOW -> decided = present };
  value = joined;
#else
  /* E1. */
  value = joined;
  if
  :: value % 2 == 0 -> goto done
  :: value % 2 == 1
  fi;
  /* E2. */
  if
  :: cursor != SLOW -> goto done
  :: cursor == SLOW -> decided = present
  fi;
#endif
  /* E3. */
  atomic {
    if
    :: value % 2 == 1 && joined == value -> assert(present == 0 || present == decided); joined = value + 1
    :: else
    fi
  };
done:
  skip
}

init {
  byte n;
  atomic {
    run Consumer(0, true);
    n = 1;
    do :: n <= COMERS -> run Consumer(n, false); n++ :: else -> break od;
    do :: n < TOKENS -> run Reaper(n); n++ :: else -> break od;
    run Expirer()
  }
}
