-- Makes a worker the owner of a stream: only a higher epoch replaces a claim.
-- uses: claims incidents
--
-- KEYS  1 claims  2 epochs  3 beats  4 revisions  5 assignments of the worker  6 forgotten
--       7 open  8 open of the stream  9 term
-- ARGV  1 stream  2 epoch  3 worker  4 incarnation  5 when this claim was
--       made, in ms, if it was held before, else 0
-- Returns {'claimed', claimed in ms, {open incident as JSON, …}}; again by its owner as well
--         {'fenced', epoch, worker}: a higher epoch is claimed, or this one by another
--         {'withdrawn', epoch assigned or 0}: the operator does not want it there any more
--         {'unassigned'}: Redis lost the assignment, or all it knew: wait for the operator
-- A later start of the same worker may take over its claim. One that was held before is granted
-- also where Redis never handed out that epoch, nor a later one: it lost them, or came back with older
-- data than it had.
local stream, epoch, worker, incarnation = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if is_blank(KEYS[9]) then
  return {'unassigned'}
end
local held = read_claim(KEYS[1], stream)

local function granted(claimed_ms)
  local incidents = {}
  for _, id in ipairs(redis.call('HVALS', KEYS[8])) do
    incidents[#incidents + 1] = redis.call('HGET', KEYS[7], id)
  end
  return {'claimed', claimed_ms, incidents}
end

if held and held.epoch >= epoch and held.worker ~= '-' then
  if held.epoch > epoch or held.worker ~= worker then
    return {'fenced', held.epoch, held.worker}
  end
  if held.incarnation == incarnation then
    return granted(held.claimed_ms)
  end
  local beat = redis.call('HGET', KEYS[3], worker)
  if beat and string.match(beat, '^%d+ (%S+)') ~= incarnation then
    return {'fenced', held.epoch, held.worker}
  end
elseif held and held.epoch > epoch then
  return {'fenced', held.epoch, held.worker}
end
if redis.call('ZSCORE', KEYS[6], stream) then
  return {'withdrawn', 0}
end
local handed_out = tonumber(redis.call('HGET', KEYS[2], stream) or 0)
local assigned = redis.call('HGET', KEYS[5], stream)
assigned = assigned and tonumber(string.match(assigned, '^%d+')) or 0
if assigned ~= epoch then
  if handed_out >= epoch and redis.call('HEXISTS', KEYS[4], worker) == 1 then
    return {'withdrawn', assigned}
  end
  if handed_out >= epoch or ARGV[5] == '0' then
    return {'unassigned'}
  end
end

local history = ''
if held then
  history = held.epoch .. ':' .. held.claimed_ms
  local kept = 1
  for entry in string.gmatch(held.history, '%d+:%d+') do
    if kept < 8 then
      history, kept = history .. ',' .. entry, kept + 1
    end
  end
end
local since_ms = now_ms()
if ARGV[5] ~= '0' then
  since_ms = math.min(since_ms, tonumber(ARGV[5]))
end
write_claim(KEYS[1], stream, {
  epoch = epoch, worker = worker, incarnation = incarnation,
  claimed_ms = string.format('%d', since_ms), history = history,
})
if handed_out < epoch then
  redis.call('HSET', KEYS[2], stream, epoch)
end
return granted(since_ms)
