using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>
/// What decides the features of an image besides the image: every weight of the vision side, the image processor, element type, device, libtorch.
/// </summary>
public static class VisionIdentity
{
    /// <summary>A hash over all of it. Reads every vision weight once.</summary>
    public static string Of(VisionLanguageModel model, Family family, IImageStage images)
    {
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write))
        {
            stream.Write(Encoding.UTF8.GetBytes($"{images.Identity}\n{model.Ledger.Options.Compute} {model.Device.Type} {Torch.Version}\n"));
            foreach (var weight in model.Ledger.Parameters.Where(p => family.PartOf(p.Name) != ModelPart.Language))
            {
                stream.Write(Encoding.UTF8.GetBytes($"{weight.Name} [{string.Join(',', weight.Shape)}] {weight.Value.DType}\n"));
                TensorBytes.Source(weight.Name, weight.Value).WriteTo(stream);
            }
        }

        return Convert.ToHexString(hash.Hash!);
    }
}
