using System.Text.Json;

namespace Fovea.Data.Readers;

/// <summary>Reads the tokens of JSON of any length through a window; nothing is kept.</summary>
/// <param name="stream">Stands where the JSON begins.</param>
/// <param name="start">That place in the file.</param>
internal sealed class JsonStream(FileStream stream, long start)
{
    private const int MostBytesOfOneText = 1 << 30;

    /// <summary>Sees a token; false ends the reading.</summary>
    /// <param name="offset">What the reader's own places count from in the file.</param>
    internal delegate bool Token(ref Utf8JsonReader reader, long offset);

    /// <param name="several">Values may follow one another.</param>
    /// <exception cref="JsonException">The text is not JSON; in words, with line and column in the file.</exception>
    internal void ReadAll(Token see, bool several = false)
    {
        var buffer = new byte[1 << 18];
        var (filled, offset) = (0, start);
        var state = new JsonReaderState(new JsonReaderOptions { AllowMultipleValues = several });
        while (true)
        {
            var read = stream.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            var reader = new Utf8JsonReader(buffer.AsSpan(0, filled), isFinalBlock: read == 0, state);
            try
            {
                while (reader.Read())
                {
                    if (!see(ref reader, offset))
                    {
                        return;
                    }
                }
            }
            catch (JsonException e)
            {
                throw new JsonException(Describe(e));
            }

            if (read == 0)
            {
                return;
            }

            state = reader.CurrentState;
            var consumed = (int)reader.BytesConsumed;
            buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
            filled -= consumed;
            offset += consumed;
            if (filled == buffer.Length)
            {
                if (filled >= MostBytesOfOneText)
                {
                    throw new JsonException($"has a text of more than {MostBytesOfOneText >> 20} MiB at byte {offset + 1}; is a quote missing?");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }

    /// <summary>Goes back to the place, to see what stands there.</summary>
    private string Describe(JsonException e)
    {
        var at = LineStart(e.LineNumber ?? 0) + (e.BytePositionInLine ?? 0);
        var from = Math.Max(start, at - 256);
        var window = new byte[at - from + 64];
        stream.Position = from;
        var filled = stream.ReadAtLeast(window, window.Length, throwOnEndOfStream: false);
        var reason = JsonProblem.Reason(window.AsSpan(0, filled), Math.Min(filled, (int)(at - from)), e);
        return $"is not valid JSON at line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: {reason}";
    }

    private long LineStart(long line)
    {
        stream.Position = start;
        var buffer = new byte[1 << 16];
        var at = start;
        for (int read; line > 0 && (read = stream.Read(buffer)) > 0;)
        {
            for (var i = 0; i < read && line > 0; i++)
            {
                at++;
                line -= buffer[i] == (byte)'\n' ? 1 : 0;
            }
        }

        return at;
    }
}
