using Fovea.Nn.FourBit;

namespace Fovea.Running;

/// <summary>4 bits as programs ask for them, in the words of the rooms below.</summary>
internal static class FourBitSettings
{
    public static FourBitOptions Of(FourBitRounding rounding) => new(rounding.Type, rounding.DoubleQuantization)
    {
        Skipped = rounding.SkipModules.Count == 0 ? null : rounding.SkipModules,
    };
}
