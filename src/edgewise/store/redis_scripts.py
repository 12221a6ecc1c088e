"""What the store in Redis does within the server, in Lua: a script is all or nothing, and nobody sees it half done.

Under one prefix P:
  P:seq                 the number of the last entry
  P:log:<k>             a list: entries 512 k + 1 to 512 k + 512 of the log, as JSON; what was erased is an empty string
  P:ids                 event id -> number
  P:user:<id>, P:item:<id>, P:about:<id>    sorted sets: numbers of the events by a user, with an item, about a user; by time
  P:users, P:items      id -> the other parts of the object as JSON, and P:user_ids, P:item_ids the ids in order
  P:offsets:<group>     JSON of (topic, partition) -> next
  P:letters             a sorted set of dead letters, by number; P:letters_seq their last number, P:letters_of their sources
  P:erased              subject -> when the user was erased
  P:epoch, P:server     which server of the store this is, and who, for as long as it says that it is there

An event is a JSON list in the order of its parts, an erasure a JSON object. Scripts take the prefix and a JSON object of
arguments; numbers that must stay exact are written as text in it, for Lua's are floating-point.
"""

_BEGIN = """
local P, head = KEYS[1] .. ':', cjson.decode(ARGV[1])
local call = redis.call
local function at(n) return P .. 'log:' .. string.format('%d', math.floor((n - 1) / 512)), (n - 1) % 512 end
local function entry(n) local list, place = at(n); return call('LINDEX', list, place) end
local function entries(members)
  local found = {}
  for i, member in ipairs(members) do found[i] = entry(tonumber(member)) end
  return found
end
"""

_WRITE = (
    _BEGIN
    + """
if head.epoch and call('GET', P .. 'epoch') ~= head.epoch then return redis.error_reply('TAKENOVER') end
local seq = tonumber(call('GET', P .. 'seq') or '0')
local function push(text)
  seq = seq + 1
  call('RPUSH', (at(seq)), text)
end
local function done() call('SET', P .. 'seq', string.format('%d', seq)) end
local function member(n) return string.format('%015d', n) end
local function drop(n)
  local list, place = at(n)
  local text = call('LINDEX', list, place)
  if text == '' then return 0 end
  local event = cjson.decode(text)
  call('LSET', list, place, '')
  call('HDEL', P .. 'ids', event[1])
  call('ZREM', P .. 'user:' .. event[2], member(n))
  if event[3] ~= cjson.null then call('ZREM', P .. 'item:' .. event[3], member(n)) end
  if event[8] ~= cjson.null then call('ZREM', P .. 'about:' .. event[8], member(n)) end
  return 1
end
local function drop_letter(letter)
  call('HDEL', P .. 'letters_of', cjson.decode(string.sub(letter, 16))[1])
  call('ZREM', P .. 'letters', letter)
end
local function drop_all(key)
  local n = 0
  for _, number in ipairs(call('ZRANGE', P .. key, 0, -1)) do n = n + drop(tonumber(number)) end
  return n
end
"""
)

APPEND = (
    _WRITE
    + """
local new = {}
local function register(kind, id)
  if id ~= cjson.null and call('HSETNX', P .. kind .. 's', id, head[kind]) == 1 then
    call('ZADD', P .. kind .. '_ids', 0, id)
  end
end
for i = 2, #ARGV do
  local event = cjson.decode(ARGV[i])
  local may_come = true
  if head.subjects then
    for _, subject in ipairs(head.subjects[i - 1]) do
      local gone = call('HGET', P .. 'erased', subject)
      if gone and event[6] <= tonumber(gone) then may_come = false end
    end
  end
  new[i - 1] = 0
  if may_come then
    if call('HSETNX', P .. 'ids', event[1], member(seq + 1)) == 1 then
      push(ARGV[i])
      call('ZADD', P .. 'user:' .. event[2], event[6], member(seq))
      if event[3] ~= cjson.null then call('ZADD', P .. 'item:' .. event[3], event[6], member(seq)) end
      if event[8] ~= cjson.null then call('ZADD', P .. 'about:' .. event[8], event[6], member(seq)) end
      new[i - 1] = 1
      if head.register then
        register('user', event[2])
        register('user', event[8])
        register('item', event[3])
      end
    end
  end
end
for _, offset in ipairs(head.offsets) do call('HSET', P .. 'offsets:' .. offset[1], offset[2], offset[3]) end
for _, letter in ipairs(head.letters) do
  if call('HSETNX', P .. 'letters_of', letter[1], '') == 1 then
    local n = call('INCR', P .. 'letters_seq')
    call('ZADD', P .. 'letters', n, member(n) .. letter[2])
  end
end
if #head.letters > 0 then
  for _, letter in ipairs(call('ZRANGE', P .. 'letters', 0, -1 - head.max_letters)) do drop_letter(letter) end
end
done()
return {new, string.format('%d', seq)}
"""
)

ERASE_USER = (
    _WRITE
    + """
local n = drop_all('user:' .. head.id) + drop_all('about:' .. head.id)
call('HDEL', P .. 'users', head.id)
call('ZREM', P .. 'user_ids', head.id)
for _, letter in ipairs(head.letters) do drop_letter(letter) end
push(head.entry)
call('HSET', P .. 'erased', head.subject, head.at)
done()
return n
"""
)

ERASE_ITEM = (
    _WRITE
    + """
local n = drop_all('item:' .. head.id)
call('HDEL', P .. 'items', head.id)
call('ZREM', P .. 'item_ids', head.id)
push(head.entry)
done()
return n
"""
)

ERASE_EVENTS = (
    _WRITE
    + """
local n = 0
for _, number in ipairs(call('ZRANGE', P .. 'user:' .. head.user, 0, -1)) do
  local event = cjson.decode(entry(tonumber(number)))
  if event[3] == head.item and (not head.type or event[4] == head.type) then n = n + drop(tonumber(number)) end
end
if n > 0 then push(head.entry) end
done()
return n
"""
)

PUT = (
    _WRITE
    + """
for i = 2, #ARGV, 2 do
  call('HSET', P .. head.kind .. 's', ARGV[i], ARGV[i + 1])
  call('ZADD', P .. head.kind .. '_ids', 0, ARGV[i])
end
return 1
"""
)

CHANGE = (
    _WRITE
    + """
if call('HGET', P .. head.kind .. 's', ARGV[2]) ~= ARGV[3] then return 0 end
call('HSET', P .. head.kind .. 's', ARGV[2], ARGV[4])
return 1
"""
)

LATEST = (
    _BEGIN
    + """
if head.limit < 1 then return {} end
if head.after == 0 then return entries(call('ZRANGE', P .. head.key, -head.limit, -1)) end
local numbers = {}
for _, number in ipairs(call('ZRANGE', P .. head.key, 0, -1)) do
  if tonumber(number) > head.after then numbers[#numbers + 1] = number end
end
for _ = 1, #numbers - head.limit do table.remove(numbers, 1) end
return entries(numbers)
"""
)

EXPORT = (
    _BEGIN
    + """
local numbers, seen = {}, {}
for _, kind in ipairs({'user:', 'about:'}) do
  for _, number in ipairs(call('ZRANGE', P .. kind .. head.id, 0, -1)) do
    if not seen[number] then numbers[#numbers + 1] = number; seen[number] = true end
  end
end
table.sort(numbers)
return entries(numbers)
"""
)

PAGE = (
    _BEGIN
    + """
local found = {}
for _, id in ipairs(call('ZRANGEBYLEX', P .. head.kind .. '_ids', head.after, '+', 'LIMIT', 0, head.limit)) do
  found[#found + 1] = id
  found[#found + 1] = call('HGET', P .. head.kind .. 's', id)
end
return found
"""
)

SERVE = """
local P, mine, lasts = KEYS[1] .. ':', ARGV[1], ARGV[2]
local there = redis.call('GET', P .. 'server')
if there then return {0, there, redis.call('PTTL', P .. 'server')} end
local epoch = redis.call('INCR', P .. 'epoch')
redis.call('SET', P .. 'server', mine, 'PX', lasts)
return {1, tostring(epoch), 0}
"""

STAY = """
local P = KEYS[1] .. ':'
if redis.call('GET', P .. 'epoch') ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('DEL', P .. 'server') else redis.call('SET', P .. 'server', ARGV[2], 'PX', ARGV[3]) end
return 1
"""
