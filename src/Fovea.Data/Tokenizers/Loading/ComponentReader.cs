namespace Fovea.Data.Tokenizers;

/// <summary>Builds normalizers, post-processors and decoders from their JSON. What is not supported is reported by place and type.</summary>
internal static class ComponentReader
{
    internal static Normalizer? Normalizer(Component json)
    {
        if (json.IsAbsent)
        {
            return null;
        }

        switch (json.Type)
        {
            case "Sequence":
                return new NormalizerSequence([.. json.Children("normalizers").Select(Normalizer).OfType<Normalizer>()]);
            case "NFC":
                return new UnicodeFormNormalizer(compose: true);
            case "NFD":
                return new UnicodeFormNormalizer(compose: false);
            case "Lowercase":
                return new LowercaseNormalizer();
            case "Prepend":
                return new PrependNormalizer(json.Required("prepend"));
            case "Strip":
                return new StripNormalizer(json.Flag("strip_left", true), json.Flag("strip_right", true));
            case "Replace":
                return json.PlainPattern() is { } pattern ? new ReplaceNormalizer(pattern, json.Required("content")) : null;
            default:
                json.Unsupported("Sequence, NFC, NFD, Lowercase, Prepend, Strip, Replace");
                return null;
        }
    }

    internal static TokenDecoder? Decoder(Component json)
    {
        if (json.IsAbsent)
        {
            return null;
        }

        switch (json.Type)
        {
            case "Sequence":
                return new DecoderSequence([.. json.Children("decoders").Select(Decoder).OfType<TokenDecoder>()]);
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Strip":
                return new StripDecoder(json.Character("content", ' '), json.Number("start", 0), json.Number("stop", 0));
            case "Replace":
                return json.PlainPattern() is { } pattern ? new ReplaceDecoder(pattern, json.Required("content")) : null;
            case "Metaspace":
                return new MetaspaceDecoder(json.Character("replacement", '\u2581'), PreTokenizerReader.Prefix(json));
            case "BPEDecoder":
                return new BpeSuffixDecoder(json.Text("suffix") ?? "</w>");
            default:
                json.Unsupported("Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, BPEDecoder");
                return null;
        }
    }

    /// <summary>The ids that the post-processor puts before and after one text.</summary>
    internal static (int[] Before, int[] After) PostProcessor(Component json)
    {
        switch (json.IsAbsent ? "ByteLevel" : json.Type)
        {
            case "ByteLevel":
                return ([], []);
            case "TemplateProcessing":
                return Template(json);
            case "Sequence":
                int[] before = [], after = [];
                foreach (var part in json.Children("processors").Select(PostProcessor))
                {
                    before = [.. part.Before, .. before];
                    after = [.. after, .. part.After];
                }

                return (before, after);
            default:
                json.Unsupported("Sequence, ByteLevel, TemplateProcessing");
                return ([], []);
        }
    }

    private static (int[] Before, int[] After) Template(Component json)
    {
        var ids = new[] { new List<int>(), new List<int>() };
        var sequences = 0;
        foreach (var piece in json.Children("single"))
        {
            if (piece.Has("Sequence"))
            {
                sequences++;
                continue;
            }

            var name = piece.Child("SpecialToken").Required("id");
            var token = json.Child("special_tokens").Child(name).Child("ids");
            if (token.Json.ValueKind != System.Text.Json.JsonValueKind.Array)
            {
                json.Report($"special_tokens has no ids for \"{name}\"");
                continue;
            }

            foreach (var id in token.Json.EnumerateArray())
            {
                if (JsonText.Whole(id) is >= 0 and <= TokenizerFile.LargestId and { } value)
                {
                    ids[Math.Min(sequences, 1)].Add((int)value);
                }
                else
                {
                    json.Report($"special_tokens[\"{name}\"].ids holds {JsonText.Show(id)}, which is no id");
                }
            }
        }

        if (sequences != 1)
        {
            json.Report($"single has {sequences} Sequence entries, where one is supported");
        }

        return ([.. ids[0]], [.. ids[1]]);
    }
}
