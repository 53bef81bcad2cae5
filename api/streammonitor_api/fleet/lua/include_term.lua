-- The reply that refuses an operator's write, or nil if its term may write; notes that it is alive.
-- It counts what operators write, so that one notices a Redis that came back older.
-- {'lost'}: the term is not known, or only an older one. {'fenced', term, name}: a newer one holds.
local function refuse_term(key, term)
  local held = tonumber(redis.call('HGET', key, 'term') or 0)
  if held < tonumber(term) then
    return {'lost'}
  end
  if held > tonumber(term) then
    return {'fenced', held, redis.call('HGET', key, 'name')}
  end
  redis.call('HSET', key, 'seen_ms', now_ms())
  redis.call('HINCRBY', key, 'writes', 1)
  return nil
end
