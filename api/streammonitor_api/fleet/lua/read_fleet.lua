-- All heartbeats, with the time by which they are judged.
--
-- KEYS  1 beats
-- ARGV  none
-- Returns {now in ms, {worker, beat, worker, beat, …}}, beats as `seen_ms incarnation serial JSON`
return {now_ms(), redis.call('HGETALL', KEYS[1])}
