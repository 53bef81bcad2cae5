-- Writes back epochs that are over: whoever watched at one of them stays fenced.
-- uses: term claims
--
-- KEYS  1 term  2 epochs  3 forgotten  4 claims
-- ARGV  1 term, then of three: stream, epoch, 1 if nobody wants the stream, else 0
-- Returns {'ok'} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
for index = 2, #ARGV, 3 do
  local stream, epoch = ARGV[index], tonumber(ARGV[index + 1])
  local claim = read_claim(KEYS[4], stream)
  if claim and claim.epoch <= epoch and claim.worker ~= '-' then
    claim.worker, claim.incarnation = '-', '-'
    claim.claimed_ms = string.format('%d', claim.claimed_ms)
    write_claim(KEYS[4], stream, claim)
  end
  if tonumber(redis.call('HGET', KEYS[2], stream) or 0) < epoch then
    redis.call('HSET', KEYS[2], stream, epoch)
    if ARGV[index + 2] == '1' then
      redis.call('ZADD', KEYS[3], now_ms(), stream)
    end
  end
end
return {'ok'}
