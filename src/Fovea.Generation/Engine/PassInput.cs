using System.Runtime.InteropServices;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>A pass as a model takes it: the next tokens of several sequences end to end, with the image features that stand among them.</summary>
/// <param name="Features">Of the image tokens among them; null where there are none.</param>
/// <param name="Rows">Which adapter works on which token; null where none is named.</param>
/// <param name="Completed">Sequences whose next token can be chosen behind the pass, in the order of the wanted rows.</param>
internal sealed record PassInput(ModelInput Input, VisualFeatures? Features, AdapterRows? Rows, IReadOnlyList<Sequence> Completed)
{
    /// <summary>One token that nobody asked for, where other processes need this one to take part.</summary>
    public static PassInput Nothing(VisionLanguageModel model) => new(
        model.PrepareNext(0, 0, new PackedAttention(new Segments([0, 1]).On(model.Device))), Features: null, Rows: null, []);

    public static PassInput Of(VisionLanguageModel model, SequenceCache cache, IReadOnlyList<PassPart> parts)
    {
        var tokens = parts.Sum(part => part.Tokens);
        var ids = new long[tokens];
        var positions = Array.ConvertAll(model.PositionsAt(0), _ => new int[tokens]);
        var (completed, wanted, slots, features) = (new List<Sequence>(), new List<long>(), new List<long>(), new List<VisualFeatures>());
        var row = 0;
        foreach (var part in parts)
        {
            var sequence = part.Sequence;
            for (var token = part.From; token < part.End; token++)
            {
                ids[row + token - part.From] = sequence.Ids[token];
            }

            sequence.WritePositions(part.From, part.End, positions, row);
            foreach (var picture in sequence.Pictures)
            {
                var (from, end) = (Math.Max(part.From, picture.Image.Offset), Math.Min(part.End, picture.End));
                if (from < end)
                {
                    var first = picture.Row + from - picture.Image.Offset;
                    features.Add(picture.Group.Features!.Slice(first, first + end - from, first, first + end - from));
                    slots.AddRange(Enumerable.Range(row + from - part.From, end - from).Select(slot => (long)slot));
                }
            }

            row += part.Tokens;
            if (part.Completes)
            {
                completed.Add(sequence);
                wanted.Add(row - 1);
            }
        }

        // Where no token can be chosen yet, one row is computed to the end for nothing.
        var all = completed.Count == tokens;
        var input = new ModelInput
        {
            Ids = CreateOps.On(model.Device, ids),
            Positions = positions,
            Attention = new PagedAttention(cache, parts),
            ImageSlots = slots.Count == 0 ? null : CreateOps.On(model.Device, CollectionsMarshal.AsSpan(slots)),
            Wanted = all ? null : CreateOps.On(model.Device, wanted.Count == 0 ? [tokens - 1L] : CollectionsMarshal.AsSpan(wanted)),
        };
        var rows = parts.All(part => part.Sequence.Adapter is null)
            ? null
            : new AdapterRows([.. parts.SelectMany(part => Enumerable.Repeat(part.Sequence.Adapter, part.Tokens))]);
        return new PassInput(input, features.Count == 0 ? null : VisualFeatures.Join(features), rows, completed);
    }
}
