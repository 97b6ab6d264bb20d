/// The other client's side of ``PikaTests``: Python, with pika. Arguments: URI, queue.
enum PikaScripts {
    private static let connect = """
        import sys, json, decimal, datetime, calendar, pika, pika.data
        parameters, queue = pika.URLParameters(sys.argv[1]), sys.argv[2]
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()

        """

    /// Takes one message and prints it as JSON: each header as [type letter, value].
    static let read =
        connect + """
            decode_value = pika.data.decode_value
            def with_letter(encoded, offset):
                value, end = decode_value(encoded, offset)
                return [encoded[offset:offset + 1].decode(), value], end
            pika.data.decode_value = with_letter
            def plain(value):
                if isinstance(value, bytes): return value.hex()
                if isinstance(value, decimal.Decimal): return str(value)
                if isinstance(value, datetime.datetime): return calendar.timegm(value.utctimetuple())
                raise TypeError(repr(value))
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            names = ["content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to",
                     "expiration", "message_id", "timestamp", "type", "user_id", "app_id"]
            print(json.dumps({
                "headers": properties.headers,
                "properties": {name: getattr(properties, name) for name in names},
                "body": body.hex(),
                "exchange": method.exchange, "routing_key": method.routing_key, "redelivered": method.redelivered,
            }, default=plain))
            connection.close()
            """

    /// Publishes one message with every property and every type of header that pika can encode, and one without any.
    static let write =
        connect + """
            scalars = {
                "text": "häß 🐇", "bytes": b"\\x00\\xff\\x80", "true": True, "false": False,
                "int": -2147483648, "large": 1 << 40, "decimal": decimal.Decimal("314.15"),
                "at": datetime.datetime(2023, 11, 14, 22, 13, 20), "none": None, "empty": {}, "nothing": [],
            }
            headers = dict(scalars, table=scalars, array=list(scalars.values()), deep=[{"a": [{"b": [None]}]}])
            channel.basic_publish("", queue, bytes(range(256)), pika.BasicProperties(
                content_type="text/plain", content_encoding="latin-1", headers=headers, delivery_mode=2, priority=9,
                correlation_id="c" * 255, reply_to="replies", expiration="60000", message_id="m", timestamp=1700000000,
                type="t", user_id=parameters.credentials.username, app_id="python"))
            channel.basic_publish("", queue, b"", pika.BasicProperties())
            connection.close()
            """
}
