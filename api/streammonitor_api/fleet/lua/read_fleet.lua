-- All heartbeats, with the time by which they are judged, and how far what is written has got.
--
-- KEYS  1 beats  2 term  3 events
-- ARGV  none
-- Returns {now in ms, {worker, beat, worker, beat, …}, what operators wrote, the newest event's entry}
-- beats as `seen_ms incarnation serial JSON`. The last two go back only where Redis did.
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return {
  now_ms(), redis.call('HGETALL', KEYS[1]),
  tonumber(redis.call('HGET', KEYS[2], 'writes') or 0), newest and newest[1] or '0-0',
}
