-- Notes that a worker lives, and tells it what it has to know. Runs twice a second a worker.
--
-- KEYS  1 beats  2 tables  3 revisions  4 term  5 version  6 starts
-- ARGV  1 worker  2 incarnation  3 serial of the beat, from 0  4 contract version of the worker
--       5 oldest version that it works with  6 heartbeat as JSON  7 table as JSON, or ''
-- Returns {'ok', now in ms, revision of its assignments or 0, term or 0,
--          serial of the beat before or -1}
--         {'superseded', incarnation}: a later start of this worker has taken over
--         {'version', version}: the fleet is of another contract
-- Where nobody was heard for a while Redis was away, and may have come back with older data: then
-- the operator has some time to write back what it knows before any worker is believed.
local AWAY_MS = 3000
-- The first beat of a start takes over, and those before it have nothing more to say: which is later
-- is not left to a machine's clock. It decides only where Redis lost that.
local KEPT = 150  -- characters: eight starts
local version = tonumber(redis.call('GET', KEYS[5]) or ARGV[4])
if version > tonumber(ARGV[4]) or version < tonumber(ARGV[5]) then
  return {'version', version}
end
local before, stored = -1, redis.call('HGET', KEYS[1], ARGV[1])
if stored then
  local incarnation, serial = string.match(stored, '^%d+ (%S+) (%d+)')
  if incarnation == ARGV[2] then
    before = tonumber(serial)
  else
    local succeeded = redis.call('HGET', KEYS[6], ARGV[1]) or ''
    local is_over = string.find(succeeded, ARGV[2], 1, true)
    if is_over or (ARGV[3] ~= '0' and incarnation > ARGV[2]) then
      return {'superseded', incarnation}
    end
    redis.call('HSET', KEYS[6], ARGV[1], string.sub(incarnation .. ' ' .. succeeded, 1, KEPT))
  end
end
local now = now_ms()
local term = redis.call('HMGET', KEYS[4], 'term', 'seen_ms', 'beat_ms', 'restoring_until_ms')
local revision, restoring_until_ms = 0, tonumber(term[4] or 0)
if term[1] then
  if now - math.max(tonumber(term[2]), tonumber(term[3] or 0)) > AWAY_MS then
    restoring_until_ms = now + AWAY_MS
    redis.call('HSET', KEYS[4], 'restoring_until_ms', restoring_until_ms)
  end
  redis.call('HSET', KEYS[4], 'beat_ms', now)
end
redis.call('HSET', KEYS[1], ARGV[1],
  string.format('%d %s %s ', now, ARGV[2], ARGV[3]) .. ARGV[6])
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[7])
end
if now >= restoring_until_ms then  -- else its assignments may be old ones
  revision = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
end
return {'ok', now, revision, tonumber(term[1] or 0), before}
