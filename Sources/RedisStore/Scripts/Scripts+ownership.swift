import RESP

extension Scripts {
    /// Makes the caller the home of a session, unless it has one that is alive.
    ///
    /// KEYS: session, cluster, record of the caller. ARGV: prefix, id, name and incarnation of the caller, alive since, milliseconds of the lease,
    /// the id of the data that the caller knows, `1` if it is giving the session back: that may come behind this, and must not undo it.
    /// Result: `mine`, the epoch, then fields and values of the session; `elsewhere` and the instance; `unknown`; `recovering` (not there, but the data was lost and is being written again); `replaced` (a later life of the caller's name runs).
    static let claim = RedisScript(
        common + alive + """
            local time = now()
            local s = redis.call('HMGET', KEYS[1], 'seen', 'home', 'incarnation', 'epoch')
            if not s[1] then
              if redis.call('ZSCORE', P .. 'deleted', ARGV[2]) then return {'unknown'} end
              local data = redis.call('HMGET', KEYS[2], 'id', 'recovering')
              if data[1] ~= ARGV[7] or (data[2] and tonumber(data[2]) > time) then return {'recovering'} end
              return {'unknown'}
            end
            if tonumber(s[1]) < tonumber(ARGV[5]) then return {'unknown'} end
            if s[3] == ARGV[4] and ARGV[8] ~= '1' then return {'mine', s[4], redis.call('HGETALL', KEYS[1])} end
            local own = redis.call('HGET', KEYS[3], 'incarnation')
            if own and tonumber(own) > tonumber(ARGV[4]) then return {'replaced'} end
            if s[3] ~= '' and s[3] ~= ARGV[4] then
              local home = alive(s[2], s[3], time, tonumber(ARGV[6]))
              if home then return {'elsewhere', home} end
            end
            local epoch = digits(tonumber(s[4]) + 1)
            redis.call('HSET', KEYS[1], 'home', ARGV[3], 'incarnation', ARGV[4], 'epoch', epoch)
            return {'mine', epoch, redis.call('HGETALL', KEYS[1])}
            """)

    /// Gives sessions back.
    ///
    /// KEYS: none. ARGV: prefix, incarnation, then id and epoch of each. Result: none.
    static let release = RedisScript(
        common + """
            for i = 3, #ARGV, 2 do
              local key = P .. 'session:' .. ARGV[i]
              if not fence(key, ARGV[2], ARGV[i + 1]) then redis.call('HSET', key, 'home', '', 'incarnation', '') end
            end
            """)

    /// Which of many sessions are still at home where their home believes.
    ///
    /// KEYS: none. ARGV: prefix, incarnation, then id and epoch of each. Result: for each `ok`, `missing` or `fenced`.
    static let verify = RedisScript(
        common + """
            local found = {}
            for i = 3, #ARGV, 2 do found[#found + 1] = fence(P .. 'session:' .. ARGV[i], ARGV[2], ARGV[i + 1]) or 'ok' end
            return found
            """)

    /// Who runs a task.
    ///
    /// KEYS: task. ARGV: prefix, milliseconds of the lease. Result: the instance if it is alive, else nothing.
    static let taskOwner = RedisScript(
        common + alive + """
            local owner = redis.call('GET', KEYS[1])
            if not owner then return {} end
            local incarnation, name = string.match(owner, '^(%d+)/(.*)$')
            if not name then return {} end
            return alive(name, incarnation, now(), tonumber(ARGV[2])) or {}
            """)
}
