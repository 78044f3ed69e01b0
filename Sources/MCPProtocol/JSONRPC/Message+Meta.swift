public import NIOCore

extension Message {
    /// The splice that puts raw members (`"key":value,…`) into `params._meta`, which is made where there is none. Nil when `_meta` is no
    /// object: that is the receiver's to refuse.
    public func metaInsertion(of members: ByteBuffer) -> Splice? {
        if routing.meta.isPresent {
            guard json.isObject(routing.meta) else { return nil }
            return json.insertion(of: members, into: routing.meta)
        }
        var meta = ByteBuffer(string: "\"_meta\":{")
        meta.writeImmutableBuffer(members)
        meta.writeStaticString("}")
        return paramsInsertion(of: meta)
    }

    /// The splice that puts raw members at the beginning of `params`, which is made where there is none.
    public func paramsInsertion(of members: ByteBuffer) -> Splice {
        if params.isPresent { return json.insertion(of: members, into: params) }
        var params = ByteBuffer(string: ",\"params\":{")
        params.writeImmutableBuffer(members)
        params.writeStaticString("}")
        return Splice(JSONSpan(start: method.end, end: method.end), .bytes(params))
    }
}
