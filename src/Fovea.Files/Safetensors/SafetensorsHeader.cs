using System.Text.Json;
using System.Text.Unicode;

namespace Fovea.Files.Safetensors;

/// <summary>The JSON at the head of a safetensors file, each tensor checked by itself (how they lie together is the file's matter).</summary>
internal sealed record SafetensorsHeader(IReadOnlyList<HeaderTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    private const string MetadataKey = "__metadata__";

    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> json)
    {
        // The format asks for an opening brace first; this also tells a wrong file from a damaged one.
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw FileProblem.In(path, "the header does not begin with '{': not a safetensors file, or damaged");
        }

        if (!Utf8.IsValid(json))
        {
            throw FileProblem.In(path, "the header is not valid UTF-8: not a safetensors file, or damaged");
        }

        try
        {
            return new Parser(path, json).Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape that is half a surrogate pair.
            throw FileProblem.In(path, $"the header is not valid JSON: {e.Message}", e);
        }
    }

    private ref struct Parser(string path, ReadOnlySpan<byte> json)
    {
        private Utf8JsonReader reader = new(json);
        private string name = string.Empty;

        public SafetensorsHeader Read()
        {
            var tensors = new List<HeaderTensor>();
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            var names = new HashSet<string>(StringComparer.Ordinal);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                name = reader.GetString()!;
                if (!names.Add(name))
                {
                    throw FileProblem.InTensor(path, name, "appears twice in the header");
                }

                reader.Read();
                if (name == MetadataKey)
                {
                    ReadMetadata(metadata);
                }
                else
                {
                    tensors.Add(ReadTensor());
                }
            }

            // Anything after the closing brace but white space makes the reader throw here.
            while (reader.Read())
            {
            }

            return new SafetensorsHeader(tensors, metadata);
        }

        private void ReadMetadata(Dictionary<string, string> metadata)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw FileProblem.In(path, $"{MetadataKey} in the header must be an object of strings");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var key = reader.GetString()!;
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                {
                    throw FileProblem.In(path, $"{MetadataKey} in the header: the value of '{key}' is not a string");
                }

                if (!metadata.TryAdd(key, reader.GetString()!))
                {
                    throw FileProblem.In(path, $"{MetadataKey} in the header: '{key}' appears twice");
                }
            }
        }

        private HeaderTensor ReadTensor()
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw Bad("its entry in the header is not an object with dtype, shape and data_offsets");
            }

            DType? dtype = null;
            long[]? shape = null;
            long[]? offsets = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var field = reader.GetString()!;
                reader.Read();
                if (field switch { "dtype" => dtype is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => false })
                {
                    throw Bad($"'{field}' appears twice");
                }

                switch (field)
                {
                    case "dtype":
                        dtype = ReadDType();
                        break;
                    case "shape":
                        shape = ReadNumbers(field);
                        break;
                    case "data_offsets":
                        offsets = ReadNumbers(field);
                        break;
                    default:
                        // The reference reader passes over fields that it does not know.
                        reader.Skip();
                        break;
                }
            }

            return Check(dtype ?? throw Bad("'dtype' is missing"), shape ?? throw Bad("'shape' is missing"), offsets ?? throw Bad("'data_offsets' is missing"));
        }

        private readonly HeaderTensor Check(DType dtype, long[] shape, long[] offsets)
        {
            if (offsets.Length != 2)
            {
                throw Bad($"data_offsets has {offsets.Length} numbers, expected [begin, end]");
            }

            if (offsets[1] < offsets[0])
            {
                throw Bad($"data_offsets [{offsets[0]}, {offsets[1]}] end before they begin");
            }

            var bytes = (Int128)dtype.Size();
            foreach (var extent in shape)
            {
                bytes *= extent;
                if (bytes > long.MaxValue)
                {
                    throw Bad($"shape [{string.Join(", ", shape)}] overflows: more bytes than a file can hold");
                }
            }

            if (bytes != offsets[1] - offsets[0])
            {
                throw Bad($"{dtype.SafetensorsName()} of shape [{string.Join(", ", shape)}] needs {bytes} bytes, "
                    + $"its data_offsets [{offsets[0]}, {offsets[1]}] hold {offsets[1] - offsets[0]}");
            }

            return new HeaderTensor(name, dtype, shape, offsets[0], offsets[1]);
        }

        private DType ReadDType()
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                throw Bad("'dtype' is not a string");
            }

            return reader.GetString() switch
            {
                "U8" => DType.U8,
                "I8" => DType.I8,
                "I16" => DType.I16,
                "I32" => DType.I32,
                "I64" => DType.I64,
                "F16" => DType.F16,
                "BF16" => DType.BF16,
                "F32" => DType.F32,
                "F64" => DType.F64,
                "BOOL" => DType.Bool,
                "F8_E4M3" => DType.F8E4M3,
                "F8_E5M2" => DType.F8E5M2,
                "U16" or "U32" or "U64" or "F8_E8M0" or "F6_E2M3" or "F6_E3M2" or "F4" or "C64" =>
                    throw Bad($"dtype {reader.GetString()} is known to the format but not supported; convert the tensor to another type"),
                var other => throw Bad($"dtype '{other}' is unknown"),
            };
        }

        private long[] ReadNumbers(string field)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                throw Bad($"'{field}' is not a list of whole numbers");
            }

            var numbers = new List<long>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                {
                    throw Bad($"'{field}' holds something that is not a whole number from 0 to 2^63-1");
                }

                numbers.Add(number);
            }

            return [.. numbers];
        }

        private readonly CheckpointException Bad(string reason) => FileProblem.InTensor(path, name, reason);
    }
}
