internal import CRabbitMQ

extension FieldValue {
    /// Copies what rabbitmq-c decoded. Nesting was limited before it decoded (``NestingCheck``).
    init(_ field: amqp_field_value_t) {
        switch amqp_field_value_kind_t(rawValue: UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: self = .bool(field.value.boolean != 0)
        case AMQP_FIELD_KIND_I8: self = .int8(field.value.i8)
        case AMQP_FIELD_KIND_U8: self = .uint8(field.value.u8)
        case AMQP_FIELD_KIND_I16: self = .int16(field.value.i16)
        case AMQP_FIELD_KIND_U16: self = .uint16(field.value.u16)
        case AMQP_FIELD_KIND_I32: self = .int32(field.value.i32)
        case AMQP_FIELD_KIND_U32: self = .uint32(field.value.u32)
        case AMQP_FIELD_KIND_I64: self = .int64(field.value.i64)
        case AMQP_FIELD_KIND_U64: self = .uint64(field.value.u64)
        case AMQP_FIELD_KIND_F32: self = .float(field.value.f32)
        case AMQP_FIELD_KIND_F64: self = .double(field.value.f64)
        case AMQP_FIELD_KIND_DECIMAL:
            let decimal = field.value.decimal
            self = .decimal(scale: decimal.decimals, unscaled: Int32(bitPattern: decimal.value))
        case AMQP_FIELD_KIND_UTF8:
            let bytes = field.value.bytes.buffer
            if let text = String(validating: bytes, as: UTF8.self) {
                self = .string(text)
            } else {
                self = .bytes(Array(bytes))
            }
        case AMQP_FIELD_KIND_BYTES: self = .bytes(Array(field.value.bytes.buffer))
        case AMQP_FIELD_KIND_ARRAY:
            let array = field.value.array
            self = .array(UnsafeBufferPointer(start: array.entries, count: Int(array.num_entries)).map(FieldValue.init))
        case AMQP_FIELD_KIND_TIMESTAMP: self = .timestamp(field.value.u64)
        case AMQP_FIELD_KIND_TABLE: self = .table(FieldTable(field.value.table))
        default: self = .void
        }
    }
}

extension FieldTable {
    /// Copies what rabbitmq-c decoded. Of a key that comes twice, the last value counts.
    init(_ table: amqp_table_t) {
        let entries = UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries))
        self.init(minimumCapacity: entries.count)
        for entry in entries {
            self[entry.key.shortString] = FieldValue(entry.value)
        }
    }

    /// Decodes a table whose bytes were checked when they came (``NestingCheck``): nothing but memory can be lacking, and
    /// then it is empty.
    init(encoded bytes: [UInt8]) {
        let pool = Pool()
        self = withExtendedLifetime(pool) {
            bytes.withUnsafeBytes { bytes in
                let encoded = amqp_bytes_t(
                    len: bytes.count,
                    bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                )
                var (table, offset) = (amqp_table_t(), 0)
                guard amqp_decode_table(encoded, pool.pointer, &table, &offset) >= 0 else { return [:] }
                return FieldTable(table)
            }
        }
    }
}

extension amqp_bytes_t {
    var buffer: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes?.assumingMemoryBound(to: UInt8.self), count: bytes == nil ? 0 : len)
    }

    /// The bytes as text that becomes the same bytes again (``WireText``).
    @inline(__always)
    var shortString: String { String(wire: buffer) }

    /// The bytes as text for people; what is not UTF-8 becomes replacement characters.
    var text: String { String(decoding: buffer, as: UTF8.self) }
}
