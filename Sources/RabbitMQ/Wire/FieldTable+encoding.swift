internal import CRabbitMQ

/// Tables and field values as rabbitmq-c takes them.
///
/// Callers have checked keys, depth and size (``TableCheck``): rabbitmq-c cuts a key's length to 8 bits but writes all
/// of the key, so that a long key could plant headers of its own.
extension Pool {
    func table(_ table: FieldTable) throws(AMQPError) -> amqp_table_t {
        guard !table.isEmpty else { return amqp_table_t() }
        guard let entries = allocate(amqp_table_entry_t.self, count: table.count) else { throw Self.outOfMemory }
        var index = 0
        for (key, value) in table {
            let entry = amqp_table_entry_t(key: try shortString(key), value: try fieldValue(value))
            entries.advanced(by: index).initialize(to: entry)
            index += 1
        }
        return amqp_table_t(num_entries: CInt(index), entries: entries)
    }

    private func array(_ values: [FieldValue]) throws(AMQPError) -> amqp_array_t {
        guard !values.isEmpty else { return amqp_array_t() }
        guard let entries = allocate(amqp_field_value_t.self, count: values.count) else { throw Self.outOfMemory }
        for (index, value) in values.enumerated() {
            entries.advanced(by: index).initialize(to: try fieldValue(value))
        }
        return amqp_array_t(num_entries: CInt(values.count), entries: entries)
    }

    private func fieldValue(_ value: FieldValue) throws(AMQPError) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        func set(_ kind: amqp_field_value_kind_t) { field.kind = UInt8(truncatingIfNeeded: kind.rawValue) }
        switch value {
        case .bool(let value):
            set(AMQP_FIELD_KIND_BOOLEAN)
            field.value.boolean = value ? 1 : 0
        case .int8(let value):
            set(AMQP_FIELD_KIND_I8)
            field.value.i8 = value
        case .uint8(let value):
            set(AMQP_FIELD_KIND_U8)
            field.value.u8 = value
        case .int16(let value):
            set(AMQP_FIELD_KIND_I16)
            field.value.i16 = value
        case .uint16(let value):
            set(AMQP_FIELD_KIND_U16)
            field.value.u16 = value
        case .int32(let value):
            set(AMQP_FIELD_KIND_I32)
            field.value.i32 = value
        case .uint32(let value):
            set(AMQP_FIELD_KIND_U32)
            field.value.u32 = value
        case .int64(let value):
            set(AMQP_FIELD_KIND_I64)
            field.value.i64 = value
        case .uint64(let value):
            set(AMQP_FIELD_KIND_U64)
            field.value.u64 = value
        case .float(let value):
            set(AMQP_FIELD_KIND_F32)
            field.value.f32 = value
        case .double(let value):
            set(AMQP_FIELD_KIND_F64)
            field.value.f64 = value
        case .decimal(let scale, let unscaled):
            set(AMQP_FIELD_KIND_DECIMAL)
            field.value.decimal = amqp_decimal_t(decimals: scale, value: UInt32(bitPattern: unscaled))
        case .string(let value):
            set(AMQP_FIELD_KIND_UTF8)
            field.value.bytes = try bytes(value)
        case .bytes(let value):
            set(AMQP_FIELD_KIND_BYTES)
            field.value.bytes = try bytes(value)
        case .array(let values):
            set(AMQP_FIELD_KIND_ARRAY)
            field.value.array = try array(values)
        case .timestamp(let seconds):
            set(AMQP_FIELD_KIND_TIMESTAMP)
            field.value.u64 = seconds
        case .table(let value):
            set(AMQP_FIELD_KIND_TABLE)
            field.value.table = try table(value)
        case .void:
            set(AMQP_FIELD_KIND_VOID)
        }
        return field
    }
}
