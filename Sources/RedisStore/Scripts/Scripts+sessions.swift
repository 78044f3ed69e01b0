import RESP

extension Scripts {
    /// Writes the fields of a session and its places in the indexes. `first`: where its arguments begin: name and incarnation of the home, epoch,
    /// client, revision, server (empty: none), params of initialize, created, seen, the number of attributes, then their names and values.
    /// Returns the index of the argument after them.
    private static let writing = """
        local function attributes(key, first)
          local count = tonumber(ARGV[first])
          for i = 1, count do redis.call('HSET', key, 'a:' .. ARGV[first + 2 * i - 1], ARGV[first + 2 * i]) end
          return first + 2 * count + 1
        end
        local function write(key, id, expiry, first)
          redis.call('HSET', key, 'home', ARGV[first], 'incarnation', ARGV[first + 1], 'epoch', ARGV[first + 2], 'client', ARGV[first + 3],
            'revision', ARGV[first + 4], 'init', ARGV[first + 6], 'created', ARGV[first + 7], 'seen', ARGV[first + 8])
          if ARGV[first + 5] ~= '' then redis.call('HSET', key, 'server', ARGV[first + 5]) end
          redis.call('PEXPIRE', key, expiry)
          redis.call('ZADD', P .. 'sessions', ARGV[first + 8], id)
          local client = P .. 'client:' .. ARGV[first + 3]
          redis.call('ZADD', client, ARGV[first + 7], id)
          redis.call('PEXPIRE', client, expiry)
          redis.call('ZREM', P .. 'deleted', id)
          return attributes(key, first + 9)
        end

        """

    /// Adds a session unless there are too many.
    ///
    /// KEYS: session, all sessions, sessions of the client. ARGV: prefix, id, `1` for a repetition of a call whose outcome is unknown, most
    /// sessions in all and of the client (empty: no bound), milliseconds that the keys live, then the session (``writing``).
    /// Result: `created`, `exists`, `overall` or `client` (the limit that is reached).
    static let create = RedisScript(
        common + writing + """
            local home = redis.call('HGET', KEYS[1], 'incarnation')
            if home then
              if ARGV[3] == '1' and home == ARGV[8] then return {'created'} end
              return {'exists'}
            end
            if ARGV[4] ~= '' and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return {'overall'} end
            if ARGV[5] ~= '' and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then
              -- Those that Redis has let expire do not count.
              for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
                if redis.call('EXISTS', P .. 'session:' .. id) == 0 then redis.call('ZREM', KEYS[3], id) end
              end
              if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return {'client'} end
            end
            write(KEYS[1], ARGV[2], ARGV[6], 7)
            return {'created'}
            """)

    /// Brings a session in Redis to what its home remembers, also where Redis has lost it, but not where somebody deleted it.
    ///
    /// KEYS: session. ARGV: prefix, id, milliseconds that the keys live, then the session (``writing``), the number of removed attributes and
    /// their names, the number of streams that have not ended, and of each name, kind, request ids, created, newest sequence, `1` if it has
    /// ended, requests that may be worked on twice, how often they were again. Result: `kept`, `written`, `gone` (deleted) or `fenced` (at home elsewhere).
    static let restore = RedisScript(
        common + writing + """
            local key, id, expiry = KEYS[1], ARGV[2], ARGV[3]
            local home = redis.call('HMGET', key, 'incarnation', 'epoch', 'seen')
            local next
            local outcome = 'kept'
            if home[2] then
              if home[1] ~= ARGV[5] or home[2] ~= ARGV[6] then
                -- Two that lost the same data may both write the session again: the later home is right.
                if tonumber(home[2]) >= tonumber(ARGV[6]) then return {'fenced'} end
                redis.call('HSET', key, 'home', ARGV[4], 'incarnation', ARGV[5], 'epoch', ARGV[6])
              end
              if tonumber(ARGV[12]) > tonumber(home[3]) then
                redis.call('HSET', key, 'seen', ARGV[12])
                redis.call('ZADD', P .. 'sessions', ARGV[12], id)
              end
              redis.call('PEXPIRE', key, expiry)
              next = attributes(key, 13)
            else
              if redis.call('ZSCORE', P .. 'deleted', id) then return {'gone'} end
              next = write(key, id, expiry, 4)
              outcome = 'written'
            end
            for i = 1, tonumber(ARGV[next]) do redis.call('HDEL', key, 'a:' .. ARGV[next + i]) end
            next = next + tonumber(ARGV[next]) + 1
            for i = 1, tonumber(ARGV[next]) do
              local at = next + 8 * i - 7
              local name = id .. ':' .. ARGV[at]
              local stream = P .. 'stream:' .. name
              local last = redis.call('HGET', stream, 'last')
              if not last then
                redis.call('HSET', stream, 'kind', ARGV[at + 1], 'requests', ARGV[at + 2], 'created', ARGV[at + 3], 'last', ARGV[at + 4],
                  'ended', ARGV[at + 5], 'bytes', '0')
                if ARGV[at + 6] ~= '' then redis.call('HSET', stream, 'repeatable', ARGV[at + 6]) end
                redis.call('PEXPIRE', stream, expiry)
              else
                if tonumber(last) < tonumber(ARGV[at + 4]) then redis.call('HSET', stream, 'last', ARGV[at + 4]) end
                if ARGV[at + 5] == '1' then ended(stream) end
              end
              if number(redis.call('HGET', stream, 'repetitions')) < tonumber(ARGV[at + 7]) then
                redis.call('HSET', stream, 'repetitions', ARGV[at + 7])
              end
              if ARGV[at + 5] == '1' then redis.call('ZADD', P .. 'aging', 'NX', ARGV[at + 3], name) end
              redis.call('ZADD', P .. 'streams:' .. id, 'NX', ARGV[at + 3], ARGV[at])
              redis.call('PEXPIRE', P .. 'streams:' .. id, expiry)
            end
            return {outcome}
            """)

    /// Moves the times forward at which sessions were seen last, and lets their keys live on.
    ///
    /// KEYS: none. ARGV: prefix, milliseconds that the keys live, then id and time of each session. Result: none.
    static let touch = RedisScript(
        common + """
            local expiry = ARGV[2]
            local time = now()
            for i = 3, #ARGV, 2 do
              local id, seen = ARGV[i], ARGV[i + 1]
              local key = P .. 'session:' .. id
              local known = redis.pcall('HMGET', key, 'seen', 'client', 'kept')
              if known[1] then
                if tonumber(known[1]) < tonumber(seen) then
                  redis.call('HSET', key, 'seen', seen)
                  redis.call('ZADD', P .. 'sessions', seen, id)
                end
                redis.call('PEXPIRE', key, expiry)
                redis.call('PEXPIRE', P .. 'client:' .. known[2], expiry)
                -- Streams live as long; they are many, so they are told less often.
                if not known[3] or time - tonumber(known[3]) > tonumber(expiry) / 8 then
                  redis.call('HSET', key, 'kept', digits(time))
                  for _, stream in ipairs(redis.call('ZRANGE', P .. 'streams:' .. id, 0, -1)) do
                    redis.call('PEXPIRE', P .. 'stream:' .. id .. ':' .. stream, expiry)
                    redis.call('PEXPIRE', P .. 'events:' .. id .. ':' .. stream, expiry)
                  end
                  redis.call('PEXPIRE', P .. 'streams:' .. id, expiry)
                end
              end
            end
            """)

    /// Sets or removes an attribute.
    ///
    /// KEYS: session. ARGV: prefix, id, incarnation and epoch of the caller, name, `1` to set and `0` to remove, value.
    /// Result: `ok`, `missing` (no such session) or `fenced`.
    static let setAttribute = RedisScript(
        common + """
            local refusal = fence(KEYS[1], ARGV[3], ARGV[4])
            if refusal then return {refusal} end
            if ARGV[6] == '1' then
              redis.call('HSET', KEYS[1], 'a:' .. ARGV[5], ARGV[7])
            else
              redis.call('HDEL', KEYS[1], 'a:' .. ARGV[5])
            end
            return {'ok'}
            """)

    /// Deletes a session with its attributes and streams.
    ///
    /// KEYS: session. ARGV: prefix, id, incarnation and epoch of the caller. Result: `ok`, `missing` or `fenced`.
    static let delete = RedisScript(
        common + removal + """
            local refusal = fence(KEYS[1], ARGV[3], ARGV[4])
            if refusal then return {refusal} end
            remove(ARGV[2], now())
            return {'ok'}
            """)

    /// Deletes sessions that expired.
    ///
    /// KEYS: all sessions. ARGV: prefix, deadline, most to delete. Result: the ids.
    static let sweep = RedisScript(
        common + removal + """
            local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
            local time = now()
            for _, id in ipairs(ids) do remove(id, time) end
            return ids
            """)

    /// A page of the live sessions of a client, by when they were created. Forgets those that are gone.
    ///
    /// KEYS: sessions of the client. ARGV: prefix, alive since, most sessions, most to look at, and where the page before ended: created and
    /// id, or twice nothing. Result: created and id where this one ends, nothing if it is the last; then of each session id, created and seen.
    static let ofClient = RedisScript(
        common + """
            local limit, left, after = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
            local place = after and redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[5]) or 0
            local found, gone = {}, {}
            local function list()
              local last
              while true do
                local piece = redis.call('ZRANGE', KEYS[1], place, place + limit, 'WITHSCORES')
                if #piece == 0 then return {} end
                for i = 1, #piece, 2 do
                  local id, created = piece[i], tonumber(piece[i + 1])
                  if created ~= after or id > ARGV[6] then
                    if #found == limit or left == 0 then return last end
                    left = left - 1
                    last = {digits(created), id}
                    local seen = redis.call('HGET', P .. 'session:' .. id, 'seen')
                    if not seen then
                      gone[#gone + 1] = id
                    elseif tonumber(seen) >= tonumber(ARGV[2]) then
                      found[#found + 1] = {id, last[1], seen}
                    end
                  end
                end
                place = place + #piece / 2
              end
            end
            table.insert(found, 1, list())
            for _, id in ipairs(gone) do redis.call('ZREM', KEYS[1], id) end
            return found
            """)
}
