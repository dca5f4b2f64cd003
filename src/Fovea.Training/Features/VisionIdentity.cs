using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Features;

/// <summary>
/// What decides the features of an image besides the image: every weight of the vision side, the image processor, element type, device, libtorch.
/// </summary>
internal static class VisionIdentity
{
    /// <summary>A hash over all of it. Reads every vision weight once.</summary>
    /// <param name="towerOnly">Of the tower's own features, on which the projector has no influence.</param>
    public static string Of(VisionLanguageModel model, ModelFamily family, IMediaProcessor images, bool towerOnly = false)
    {
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write))
        {
            var kind = $"{(towerOnly ? " tower" : string.Empty)}{(model.FeatureLayers == 0 ? string.Empty : $" layers {model.FeatureLayers}")}";
            stream.Write(Encoding.UTF8.GetBytes($"{images.Identity}\n{model.Ledger.Options.Compute} {model.Device.Type} {Torch.Version}{kind}\n"));
            foreach (var weight in model.Ledger.Parameters.Where(p => IsPart(family.PartOf(p.Name), towerOnly)))
            {
                stream.Write(Encoding.UTF8.GetBytes($"{weight.Name} [{string.Join(',', weight.Shape)}] {weight.Value.DType}\n"));
                using var scope = TensorScope.Open("weight");
                TensorBytes.Source(weight.Name, weight.Stored()).WriteTo(stream);
            }
        }

        return Convert.ToHexString(hash.Hash!);
    }

    private static bool IsPart(ModelPart part, bool towerOnly) => towerOnly ? part == ModelPart.Vision : part != ModelPart.Language;
}
