// What models.test.ts runs: flags are constants of the models, and BUG_ flags plant a bug.

export interface Run {
  model: string;
  flags: string[];
}

/** All of these hold. */
export const MODELS: Run[] = [
  { model: 'spsc', flags: ['DEATHS=2'] },
  { model: 'lane', flags: ['DEATHS=2'] },
  { model: 'mpmc', flags: ['CONSUMERS=2', 'DEATHS=1'] },
  // A third claims behind the dead one while the second adopts; and the second dies adopting, and somebody comes into a slot that was freed.
  { model: 'mpmc', flags: ['CONSUMERS=3', 'RUN=1', 'CAPACITY=1', 'RECORDS=2', 'DEATHS=1'] },
  { model: 'mpmc', flags: ['CONSUMERS=3', 'COMERS=1', 'RUN=1', 'CAPACITY=1', 'RECORDS=3', 'DEATHS=2'] },
  { model: 'mpmc', flags: ['LANES=2', 'RUN=1', 'CAPACITY=1', 'RECORDS=2', 'DEATHS=1'] },
  { model: 'gated', flags: ['CONSUMERS=1', 'RECORDS=5'] },
  { model: 'gated', flags: ['CONSUMERS=1', 'RECORDS=4', 'LEAVES=1', 'DEATHS=1'] },
  { model: 'gated', flags: ['CONSUMERS=2', 'RECORDS=3', 'EXPIRES=0'] },
  { model: 'gated', flags: ['CONSUMERS=2', 'RECORDS=2', 'CAPACITY=1'] },
  { model: 'lossy', flags: ['DEATHS=2'] },
  { model: 'lossy', flags: ['CAPACITY=1'] },
  { model: 'lossy', flags: ['CAPACITY=4', 'RECORDS=9', 'QUARTER=2'] },
  { model: 'lossy', flags: ['MEMORY=1'] },
  { model: 'lossy', flags: ['MEMORY=2'] },
  // On x86 plain stores would do: that they are found to be wrong with MEMORY=2 is no accident of the model.
  { model: 'lossy', flags: ['MEMORY=1', 'BUG_PLAIN_ANNOUNCE'] },
  { model: 'lossy', flags: ['MEMORY=1', 'BUG_PLAIN_PUBLISH'] },
  { model: 'park', flags: ['CONSUMERS=2'] },
  { model: 'park', flags: ['PRODUCERS=2', 'CONSUMERS=1'] },
  { model: 'park', flags: ['PRODUCERS=2', 'CONSUMERS=2', 'RECORDS=1'] },
  { model: 'park', flags: ['CONSUMERS=2', 'DEATHS=1', 'ASLEEP=1'] },
  { model: 'park', flags: ['CONSUMERS=2', 'DEATHS=1'] },
  { model: 'ring-park', flags: [] },
  { model: 'owner', flags: ['REAPERS=2', 'COMERS=1', 'DEATHS=1'] },
  { model: 'pool', flags: ['USERS=2', 'ROUNDS=2'] },
  { model: 'pool', flags: ['USERS=3', 'ROUNDS=1'] },
  { model: 'pool', flags: ['USERS=2', 'ROUNDS=1', 'DEATHS=1', 'RECLAIMERS=2'] },
  { model: 'pool', flags: ['USERS=2', 'ROUNDS=1', 'DEATHS=2', 'MAIL=1'] },
  { model: 'dedup', flags: ['EQUAL=2', 'OTHERS=1'] },
  { model: 'dedup', flags: ['EQUAL=3', 'OTHERS=0'] },
  { model: 'dedup', flags: ['EQUAL=2', 'OTHERS=1', 'OLD=2'] },
  { model: 'dedup', flags: ['EQUAL=2', 'OTHERS=1', 'DEATHS=1'] },
  { model: 'dedup', flags: ['EQUAL=2', 'OTHERS=1', 'EXACT=0', 'LOG=1', 'PROBES=1'] },
];

/** Each of these is found. */
export const BUGS: Run[] = [
  ...planted('spsc', [], ['PUBLISH_FIRST', 'WRAP', 'CAPACITY', 'RELEASE_FIRST', 'RESUME', 'CONSUMER_RESUME']),
  ...planted('lane', [], ['ADOPT_HIGHEST', 'SAME_PAIR', 'PAIR_AFTER', 'JOIN_UNCHECKED']),
  ...planted(
    'mpmc',
    ['CONSUMERS=3', 'COMERS=1'],
    [
      'CAPACITY',
      'PUBLISH_FIRST',
      'NO_CONFIRM',
      'CONFIRM_AFTER',
      'NO_U4',
      'NO_CAS',
      'COPY_AFTER_CLAIM',
      'IDLE_FIRST',
      'NO_INTENT',
    ],
  ),
  ...planted(
    'gated',
    ['CONSUMERS=1', 'RECORDS=5'],
    ['NO_ANNOUNCE', 'NO_SECOND_BEGIN', 'NO_B4', 'RESTART_WITHOUT_CURSOR', 'JOIN_WITHOUT_WAKE'],
  ),
  ...planted('gated', ['CONSUMERS=1', 'RECORDS=5', 'DEATHS=1'], ['FORGET_ANNOUNCED']),
  ...planted('lossy', [], ['NO_ANNOUNCE', 'ANNOUNCE_AFTER', 'NO_B4', 'PLAIN_COPY']),
  ...planted('lossy', ['CAPACITY=4', 'RECORDS=6', 'DEATHS=1'], ['FORGET_ANNOUNCED']),
  ...planted('lossy', ['MEMORY=2'], ['PLAIN_ANNOUNCE', 'PLAIN_PUBLISH']),
  ...planted('park', [], ['WAKE_FIRST', 'NO_RECHECK', 'LATE_BIT', 'NO_WORD', 'LATE_VALUE']),
  ...planted('park', ['DEATHS=1'], ['NO_SLICE']),
  ...planted('park', ['DEATHS=1', 'ASLEEP=1'], ['WAKE_ONE']),
  ...planted('ring-park', [], ['KEEP_PARKED', 'LATE_PARKED']),
  ...planted('owner', [], ['NO_CAS', 'JOINED_FLAG', 'STALE_EXPIRE', 'MEND_FIRST', 'FREE_FIRST']),
  ...planted('pool', [], ['PLAIN_HINT', 'NO_P7', 'NO_CAS', 'NO_SECOND_LOOK', 'GIVE_STORE', 'HINT_FIRST']),
  ...planted('pool', ['DEATHS=1'], ['NO_REPAIR']),
  ...planted('dedup', [], ['NEWEST', 'NO_CAS', 'NO_SECOND_LOOK']),
  ...planted('dedup', ['EXACT=0', 'LOG=1'], ['PLAIN_HASH']),
];

function planted(model: string, flags: string[], bugs: string[]): Run[] {
  return bugs.map((bug) => ({ model, flags: [...flags, `BUG_${bug}`] }));
}
