extension String {
    /// Whether it, the text of a broker's error, names a thing of a kind: `exchange 'orders'`.
    ///
    /// RabbitMQ cuts its texts to 255 bytes, so that of a long name the beginning has to be enough.
    func names(_ kind: String, _ name: String) -> Bool {
        contains("\(kind) '\(name)'") || name.utf8.count > 128 && contains("\(kind) '\(name.prefix(64))")
    }
}
