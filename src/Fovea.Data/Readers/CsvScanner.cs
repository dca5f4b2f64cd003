namespace Fovea.Data.Readers;

/// <summary>
/// Goes through CSV as RFC 4180 has it, byte by byte: where records and fields end. Quotes count at the beginning of a field alone, as elsewhere; a
/// line ends with CR, LF or both. (Libraries that parse CSV count characters; a row that is to be read again needs its bytes.)
/// </summary>
internal struct CsvScanner
{
    private State state;

    private enum State : byte
    {
        FieldStart,
        Plain,
        Quoted,
        QuoteSeen,
        Stray,
    }

    /// <summary>What a byte is.</summary>
    internal enum Sort : byte
    {
        /// <summary>A byte of the field.</summary>
        Content,

        /// <summary>A quote around the field, or the first of two that stand for one.</summary>
        Quote,

        /// <summary>A comma between fields.</summary>
        FieldEnd,

        /// <summary>A byte of a line's end, behind the record.</summary>
        RecordEnd,
    }

    /// <summary>Within quotes that are not closed yet.</summary>
    internal readonly bool IsOpen => state == State.Quoted;

    /// <summary>Something stands between a closing quote and the next comma.</summary>
    internal readonly bool IsStray => state == State.Stray;

    internal Sort Next(byte value)
    {
        if (state == State.Quoted)
        {
            state = value == '"' ? State.QuoteSeen : State.Quoted;
            return value == '"' ? Sort.Quote : Sort.Content;
        }

        switch (value)
        {
            case (byte)'\r' or (byte)'\n':
                state = State.FieldStart;
                return Sort.RecordEnd;
            case (byte)',':
                state = State.FieldStart;
                return Sort.FieldEnd;
            case (byte)'"' when state == State.FieldStart:
                state = State.Quoted;
                return Sort.Quote;
            case (byte)'"' when state == State.QuoteSeen:
                state = State.Quoted;
                return Sort.Content;
            default:
                state = state is State.QuoteSeen or State.Stray ? State.Stray : State.Plain;
                return Sort.Content;
        }
    }
}
