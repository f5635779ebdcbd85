/* mpmc: runs of records are copied, claimed by a compare-and-swap of the lane's cursor, and handed out from held bytes, which whoever takes a dead consumer's
 * slot hands out again.
 *
 * Steps: C1-C7 (drainClaimed, claimRun, confirm, releaseClaim), U1-U4 (claimedLane), taking a slot by its owner word (takeOwnership), the producer's writing and
 * its room (sharedCursor). The words of a record are read and written one by one, each a step: the producer writes over them as soon as the cursor has moved,
 * while a slower consumer still copies. Positions, intents, cursors and owner words are sequentially consistent atomics.
 *
 * Bounds: LANES lanes of CAPACITY records of two words, RECORDS records in each lane (more than CAPACITY: all is written over), runs of one or two,
 * CONSUMERS consumers. The first DEATHS of them (they are all alike) may die, at any step; COMERS of them come only when a slot is free, or its owner is dead, and take it. With two
 * consumers one can be in the middle of any step of a claim while the other claims, adopts, or dies adopting; the third claims behind both. An intent names one
 * position of one lane, a cursor one claim, so more of them add no new way to meet. Not modelled: records of different lengths, whose torn headers isPlausible
 * refuses before the compare-and-swap would.
 */
#ifndef LANES
#define LANES 1
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef COMERS
#define COMERS 0
#endif
#ifndef RUN
#define RUN 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
/* Slots: those that come later have none of their own. */
#define SLOTS (CONSUMERS - COMERS)
#define NONE 255

#define IDLE 0
#define CLAIMING 1
#define CLAIMED 2
#define INTENT(position, lane, phase) (((position) * 2 + (lane)) * 4 + (phase))
#define CURSOR(position, slot) ((position) * 8 + (slot) + 1)
#define POSITION(cursor) ((cursor) / 8)
#define CLAIMER(cursor) ((cursor) % 8)
#define CELL(lane, position) ((lane) * CAPACITY + (position) % CAPACITY)
#define RECORD(lane, position) ((lane) * RECORDS + (position) + 1)

byte wordA[LANES * CAPACITY];
byte wordB[LANES * CAPACITY];
byte producerPosition[LANES];
byte cursors[LANES];
/* Slots: owner (consumer + 1), intent, held bytes. */
byte owners[SLOTS];
byte intents[SLOTS];
byte heldCount[SLOTS];
byte heldA[SLOTS * RUN];
byte heldB[SLOTS * RUN];

/* A slot whose consumer died, or closed with something claimed. */
#define LEFT(slot) (owners[slot] == 0 && intents[slot] != IDLE || owners[slot] != 0 && dead[owners[slot] - 1])

bool dead[CONSUMERS];
byte deaths;
/* What nobody in the code knows: how often a record was handed out, and how often somebody died who may have been handing it out. */
byte handed[LANES * RECORDS + 1];
byte excused[LANES * RECORDS + 1];

proctype Producer(byte lane) {
  byte position;
  do
  :: position == RECORDS -> break
  :: position < RECORDS ->
    /* Room: what was claimed has been copied. */
#ifdef BUG_CAPACITY
    position < POSITION(cursors[lane]) + CAPACITY + 1;
#else
    position < POSITION(cursors[lane]) + CAPACITY;
#endif
#ifdef BUG_PUBLISH_FIRST
    producerPosition[lane] = position + 1;
#endif
    wordA[CELL(lane, position)] = RECORD(lane, position);
    wordB[CELL(lane, position)] = RECORD(lane, position);
    atomic { position++; producerPosition[lane] = position }
  od
}

/* A consumer that dies before its next step: what it had claimed, or may have been handing out, may be handed out once more. */
inline mayDie() {
  if
  :: true
  :: atomic {
      deaths < DEATHS && me < DEATHS -> deaths++; dead[me] = true;
      k = 0;
      do
      :: holding && k < runCount -> excused[batch[k]]++; k++
      :: else -> break
      od;
      goto died
    }
  fi
}

/* Hands out what the slot holds. */
inline handOut(from) {
  atomic {
    holding = true; k = 0;
    do
    :: k < runCount ->
      assert(heldA[from * RUN + k] == heldB[from * RUN + k]);
      batch[k] = heldA[from * RUN + k];
      assert(batch[k] > 0);
      handed[batch[k]]++;
      assert(handed[batch[k]] <= 1 + excused[batch[k]]);
      k++
    :: else -> break
    od;
    k = 0
  }
}

inline adopt(slot) {
  /* U1. */
  atomic { seen = intents[slot]; holding = false; runCount = 0 };
  if
  /* U2. */
  :: seen % 4 == CLAIMED -> isLeft = true
  :: seen % 4 == IDLE -> isLeft = false
  :: seen % 4 == CLAIMING ->
    mayDie();
    /* U3. */
    atomic { isLeft = (cursors[(seen / 4) % 2] == CURSOR(seen / 8, slot)) };
#ifndef BUG_NO_U4
    if
    :: isLeft
    :: !isLeft -> mayDie();
      /* U4. */
      atomic { isLeft = (intents[slot] % 4 == CLAIMED) }
    fi
#endif
  fi;
  mayDie();
  if
  :: isLeft -> atomic { runCount = heldCount[slot]; handOut(slot) }; mayDie()
  :: !isLeft
  fi;
  atomic { isLeft = false; seen = 0; holding = false; runCount = 0; batch[0] = 0; batch[1] = 0;
    /* C7. */
    intents[slot] = IDLE
  };
  mayDie();
  if
  :: slot != own -> owners[slot] = 0
  :: else
  fi
}

inline confirm() {
  atomic {
    if
    :: CLAIMER(cursor) != 0 && CLAIMER(cursor) != own + 1 && intents[CLAIMER(cursor) - 1] == INTENT(POSITION(cursor), lane, CLAIMING) ->
      intents[CLAIMER(cursor) - 1] = INTENT(POSITION(cursor), lane, CLAIMED)
    :: else
    fi
  }
}

proctype Consumer(byte me) {
  byte own = NONE, lane, cursor, from, end, seen, k, other, runCount;
  byte batch[2];
  bool holding, isLeft, isClaimed;

  /* A slot of one's own: given, or taken when it is free or its owner dead. */
  if
  :: atomic { me < SLOTS -> own = me }
  :: me >= SLOTS ->
end_outside:
    atomic {
      if
      :: owners[0] == 0 || dead[owners[0] - 1] -> owners[0] = me + 1; own = 0
      :: SLOTS > 1 && (owners[SLOTS - 1] == 0 || dead[owners[SLOTS - 1] - 1]) -> owners[SLOTS - 1] = me + 1; own = SLOTS - 1
      fi
    };
    mayDie();
    adopt(own)
  fi;

end_waiting:
  do
  /* Somebody died: whoever takes its slot first hands out what it had. */
  :: atomic { LEFT(0) -> other = 0 };
    goto adopting
#if SLOTS > 1
  :: atomic { LEFT(1) -> other = 1 };
    goto adopting
#endif
#if SLOTS > 2
  :: atomic { LEFT(2) -> other = 2 };
    goto adopting
#endif
  :: atomic { producerPosition[0] > POSITION(cursors[0]) -> lane = 0 };
    goto claim
#if LANES > 1
  :: atomic { producerPosition[1] > POSITION(cursors[1]) -> lane = 1 };
    goto claim
#endif
  od;

adopting:
  mayDie();
  /* takeOwnership: it may have been taken, or even mended, since. */
  atomic {
    if
    :: owners[other] == 0 || dead[owners[other] - 1] -> owners[other] = me + 1
    :: else -> other = 0; goto end_waiting
    fi
  };
  mayDie();
  adopt(other);
  other = 0;
  goto end_waiting;

claim:
  /* C1. */
  atomic { cursor = cursors[lane]; from = POSITION(cursor) };
  atomic {
    end = producerPosition[lane];
    if
    :: end == from || end - from > CAPACITY -> cursor = 0; from = 0; end = 0; lane = 0; goto end_waiting
    :: else
    fi;
    /* As many as there are, or as the caller asked for. */
    if :: end - from > RUN -> end = from + RUN :: else fi;
    if :: end > from + 1 -> end = from + 1 :: true fi
  };
  mayDie();
#ifdef BUG_COPY_AFTER_CLAIM
  goto claiming;
copying:
#endif
  /* C2. Word by word. */
  k = 0;
  do
  :: k == end - from -> break
  :: k < end - from ->
    heldA[own * RUN + k] = wordA[CELL(lane, from + k)];
    mayDie();
    atomic { heldB[own * RUN + k] = wordB[CELL(lane, from + k)]; k++ }
  od;
  k = 0;
  mayDie();
#ifdef BUG_COPY_AFTER_CLAIM
  goto copied;
claiming:
#endif
#ifndef BUG_NO_CONFIRM
#ifndef BUG_CONFIRM_AFTER
  /* C3. */
  confirm();
  mayDie();
#endif
#endif
  heldCount[own] = end - from;
  mayDie();
  /* C4. */
#ifndef BUG_NO_INTENT
  intents[own] = INTENT(end, lane, CLAIMING);
  mayDie();
#endif
  /* C5. */
#ifdef BUG_NO_CAS
  if
  :: atomic { cursors[lane] == cursor -> isClaimed = true }; cursors[lane] = CURSOR(end, own)
  :: atomic { cursors[lane] != cursor -> isClaimed = false }
  fi;
#else
  atomic {
    isClaimed = (cursors[lane] == cursor);
    if :: isClaimed -> cursors[lane] = CURSOR(end, own) :: else fi
  };
#endif
#ifdef BUG_CONFIRM_AFTER
  if :: isClaimed -> mayDie(); confirm() :: else fi;
#endif
#ifdef BUG_COPY_AFTER_CLAIM
  if :: isClaimed -> goto copying :: else fi;
copied:
#endif
  mayDie();
  /* C6. */
  if
  :: isClaimed -> intents[own] = INTENT(end, lane, CLAIMED); mayDie();
#ifdef BUG_IDLE_FIRST
    intents[own] = IDLE; mayDie();
#endif
    atomic { isClaimed = false; runCount = end - from; handOut(own); cursor = 0; from = 0; end = 0; lane = 0 };
    mayDie();
    /* C7. */
    atomic { intents[own] = IDLE; holding = false; runCount = 0; batch[0] = 0; batch[1] = 0 }
  :: !isClaimed -> atomic { intents[own] = IDLE; cursor = 0; from = 0; end = 0; lane = 0 }
  fi;
  mayDie();
  goto end_waiting;
died:
  skip
}

/* All is done, or nothing can go on: then every record was handed out. */
proctype Judge() {
  byte k;
  timeout;
  k = 1;
  do
  :: k <= LANES * RECORDS -> assert(handed[k] >= 1); k++
  :: else -> break
  od
}

init {
  byte n;
  atomic {
    do :: n < SLOTS -> owners[n] = n + 1; n++ :: else -> break od;
    n = 0;
    do :: n < LANES -> run Producer(n); n++ :: else -> break od;
    n = 0;
    do :: n < CONSUMERS -> run Consumer(n); n++ :: else -> break od;
    run Judge()
  }
}
