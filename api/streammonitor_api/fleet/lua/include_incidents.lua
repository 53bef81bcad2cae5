-- What is remembered of an incident, to tell new from known:
-- `revision epoch state onset_ms recovery_ms noted_ms late track`. State: open, closed, merged:<id> (the
-- same defect as that incident), or adopted:<id> (told under that one's id, its revisions follow
-- that one's, whose revision then stands here).
-- recovery_ms is -1 while it is open. noted_ms: when its first event was recorded. late: the claim
-- that had been made by then if an older owner told it, and which so does not know of it; else `-`.
local KEEP_MS = 30 * 24 * 3600 * 1000
local MOST_KNOWN, FEWEST_KNOWN = 400, 200

local function parse_known(text)
  local revision, epoch, state, onset_ms, recovery_ms, noted_ms, late, track =
    string.match(text, '^(%d+) (%d+) (%S+) (%-?%d+) (%-?%d+) (%d+) (%S+) (.*)$')
  return {
    revision = tonumber(revision), epoch = tonumber(epoch), state = state,
    onset_ms = tonumber(onset_ms), recovery_ms = tonumber(recovery_ms),
    noted_ms = tonumber(noted_ms), late = late, track = track,
  }
end

local function read_known(key, id)
  local text = redis.call('HGET', key, id)
  return text and parse_known(text) or nil
end

-- Forgets the oldest of those that are over, where a stream has had very many.
local function prune_known(key)
  if redis.call('HLEN', key) <= MOST_KNOWN then
    return
  end
  local over, flat = {}, redis.call('HGETALL', key)
  for index = 1, #flat, 2 do
    local known = parse_known(flat[index + 1])
    if known.state ~= 'open' then
      over[#over + 1] = {id = flat[index], noted_ms = known.noted_ms}
    end
  end
  table.sort(over, function(a, b) return a.noted_ms < b.noted_ms end)
  for index = 1, #over - FEWEST_KNOWN do
    redis.call('HDEL', key, over[index].id)
  end
end

local function is_own(known)
  return known.state == 'open' or known.state == 'closed'
end

local function write_known(key, id, known)
  redis.call('HSET', key, id, table.concat(
    {known.revision, known.epoch, known.state, known.onset_ms, known.recovery_ms,
     known.noted_ms, known.late or '-', known.track}, ' '))
  redis.call('PEXPIRE', key, KEEP_MS)
end

-- Writes an event into the history: `merged` is '' or the incident that it is another view of.
local function append_event(key, told, merged)
  local fields = {
    'stream', told.stream, 'epoch', told.epoch, 'worker', told.worker,
    'revision', told.revision, 'event', told.event,
  }
  if told.notify ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'notify', told.notify
  end
  if merged ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'merged', merged
  end
  return redis.call('XADD', key, 'MAXLEN', '~', told.kept, '*', unpack(fields))
end

-- The open incident of a track; nil where there is none.
local function open_on(keys, track)
  local id = redis.call('HGET', keys.open_of, track)
  return id and read_known(keys.incidents_of, id) and id or nil
end

-- Records an event: in the history, in the table of open incidents, among what is known.
local function record_event(keys, told, known, late)
  append_event(keys.events, told, '')
  local onset_ms = math.min(told.onset_ms, known and known.onset_ms or told.onset_ms)
  local closed = told.kind == 'closed'
  write_known(keys.incidents_of, told.id, {
    revision = told.revision, epoch = told.epoch, state = closed and 'closed' or 'open',
    onset_ms = onset_ms, recovery_ms = told.recovery_ms,
    noted_ms = known and known.noted_ms or now_ms(), late = late or '-', track = told.track,
  })
  if not closed then
    if told.recovery_ms >= 0 and redis.call('HEXISTS', keys.open, told.id) == 0 then
      return  -- its end comes next: nobody is to adopt it
    end
    -- The event is put in as it came: cjson would turn its empty lists into objects.
    redis.call('HSET', keys.open, told.id, string.format(
      '{"onset_ms":%d,"stream":%s,"epoch":%d,"worker":%s,"revision":%d,"notify":%s,"event":%s}',
      onset_ms, cjson.encode(told.stream), told.epoch, cjson.encode(told.worker),
      told.revision, told.notify ~= '' and told.notify or '[]', told.event))
    local other = open_on(keys, told.track)
    if not other or read_known(keys.incidents_of, other).onset_ms <= onset_ms then
      redis.call('HSET', keys.open_of, told.track, told.id)
    end
    return
  end
  redis.call('HDEL', keys.open, told.id)
  if redis.call('HGET', keys.open_of, told.track) == told.id then
    redis.call('HDEL', keys.open_of, told.track)
  end
  prune_known(keys.incidents_of)
end

-- Whether an incident was over before another one began: it is told again, by one who knows both.
local function was_over(told, known)
  return told.recovery_ms >= 0 and told.recovery_ms < known.onset_ms
end

-- Has an event told under the id of the incident that its track has open already.
local function adopt_into(keys, told, other)
  local known = read_known(keys.incidents_of, other)
  write_known(keys.incidents_of, told.id, {
    revision = known.revision, epoch = told.epoch, state = 'adopted:' .. other,
    onset_ms = told.onset_ms, recovery_ms = -1, noted_ms = now_ms(), track = told.track,
  })
  prune_known(keys.incidents_of)
  return {
    'adopt', other, known.revision, known.onset_ms, redis.call('HGET', keys.open, other) or '',
  }
end

-- Notes that an event was another's view of an incident, or of none that is kept: ''.
local function note_merged(keys, told, into)
  write_known(keys.incidents_of, told.id, {
    revision = told.revision, epoch = told.epoch, state = 'merged:' .. into,
    onset_ms = told.onset_ms, recovery_ms = told.recovery_ms, noted_ms = now_ms(),
    track = told.track,
  })
  prune_known(keys.incidents_of)
  return {'merged', into}
end

-- The answer to an event of an incident that goes by another's id; nil for one of its own.
local function answer_other(keys, known)
  local how, other = string.match(known.state, '^(%a+):(.*)$')
  if how == 'merged' then
    return {'merged', other}
  end
  if how == 'adopted' then
    local into = read_known(keys.incidents_of, other)
    return {
      'adopt', other, known.revision, into and into.onset_ms or known.onset_ms,
      redis.call('HGET', keys.open, other) or '',
    }
  end
end

local function event_keys(first)
  return {
    open = KEYS[first], open_of = KEYS[first + 1], incidents_of = KEYS[first + 2],
    events = KEYS[first + 3],
  }
end

local function told_event(first)
  return {
    stream = ARGV[first], epoch = tonumber(ARGV[first + 1]), worker = ARGV[first + 2],
    incarnation = ARGV[first + 3], id = ARGV[first + 4], revision = tonumber(ARGV[first + 5]),
    kind = ARGV[first + 6], onset_ms = tonumber(ARGV[first + 7]),
    recovery_ms = tonumber(ARGV[first + 8]), track = ARGV[first + 9], event = ARGV[first + 10],
    notify = ARGV[first + 11], kept = ARGV[first + 12],
  }
end
