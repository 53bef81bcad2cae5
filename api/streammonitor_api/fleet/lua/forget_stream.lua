-- Removes a stream that is no longer wanted, and closes what is open on it.
-- uses: term incidents
--
-- KEYS  1 term  2 specs  3 claims  4 epochs  5 forgotten  6 open gaps  7 coverage
--       8 open  9 open of the stream  10 incidents of the stream  11 events
-- ARGV  1 term  2 stream  3 ms for which epochs of forgotten streams are kept
--       4 events to keep in the history, then of three: incident, its closing event as JSON,
--         targets to notify as JSON or ''
-- Returns {'ok', events recorded} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local stream, now, keys, recorded = ARGV[2], now_ms(), event_keys(8), 0
for index = 5, #ARGV, 3 do
  local known = read_known(keys.incidents_of, ARGV[index])
  if known and known.state == 'open' then
    record_event(keys, {
      stream = stream, epoch = known.epoch, worker = '-', id = ARGV[index],
      revision = known.revision + 1, kind = 'closed', onset_ms = known.onset_ms,
      recovery_ms = now, track = known.track, event = ARGV[index + 1], notify = ARGV[index + 2],
      kept = ARGV[4],
    }, known)
    recorded = recorded + 1
  end
end
for _, id in ipairs(redis.call('HVALS', keys.open_of)) do
  redis.call('HDEL', keys.open, id)
end
redis.call('DEL', keys.open_of)
for _, hash in ipairs({KEYS[2], KEYS[3], KEYS[6], KEYS[7]}) do
  redis.call('HDEL', hash, stream)
end
redis.call('ZADD', KEYS[5], now, stream)
local old = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 100)
for _, name in ipairs(old) do
  redis.call('HDEL', KEYS[4], name)
  redis.call('ZREM', KEYS[5], name)
end
return {'ok', recorded}
