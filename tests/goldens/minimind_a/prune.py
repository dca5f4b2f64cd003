# Copies from the full reference folders (made by generate.py) what the tests need: prune.py REFERENCE_GOLDEN_FOLDER TARGET_GOLDENS_FOLDER
# Of a tensor with more than 4096 elements every 7th is kept, flattened, under its name with "@7" behind it.
import json, os, shutil, struct, sys
SRC, DST = sys.argv[1:3]

def read(path):
    raw = open(path, 'rb').read(); n = struct.unpack('<Q', raw[:8])[0]; head = json.loads(raw[8:8 + n])
    return {k: (v['dtype'], v['shape'], raw[8 + n + v['data_offsets'][0]:8 + n + v['data_offsets'][1]]) for k, v in head.items() if k != '__metadata__'}

def thin(name, dtype, shape, data):
    size = dict(F32=4, U8=1, I64=8)[dtype]; count = len(data) // size
    if count <= 4096: return name, (dtype, shape, data)
    kept = b''.join(data[i * size:(i + 1) * size] for i in range(0, count, 7))
    return name + '@7', (dtype, [len(kept) // size], kept)

def write(path, tensors):
    tensors = dict(thin(k, *v) for k, v in tensors.items())
    head, at = {}, 0
    for k, (dtype, shape, data) in tensors.items(): head[k] = dict(dtype=dtype, shape=shape, data_offsets=[at, at + len(data)]); at += len(data)
    text = json.dumps(head).encode(); text += b' ' * (-len(text) % 8)
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + b''.join(t[2] for t in tensors.values()))

KEEP = dict(a=('single_0.', 'multi_0_1.nll', 'single_1_2.nll', 'single_3_4_5.nll', 'trunc_0.nll', 'single_0_eval.nll', 'single_0_eval.logits_at', 'trunc_0.hidden_last'),
            c=('train_0.', 'multi_0_1.nll', 'train_1_2.nll', 'train_3_4_5.nll', 'train_6_7.nll', 'trunc_0.nll', 'train_0_eval.nll', 'train_0_eval.logits_at', 'trunc_0.hidden_last'))
GRADS = dict(a='train_sft_acc1', c='train_sft_freeze0')
for g in 'ac':
    s, d = f'{SRC}/minimind_{g}', f'{DST}/minimind_{g}'
    for sub in ('data', 'tokenizer', 'vision', 'dense', 'moe'): shutil.rmtree(f'{d}/{sub}', ignore_errors=True); os.makedirs(f'{d}/{sub}')
    for f in ('README.md', 'generate.py'): shutil.copy(f'{s}/{f}', d)
    for f in ('tokenizer.json', 'tokenizer_config.json'): shutil.copy(f'{s}/tokenizer/{f}', f'{d}/tokenizer')
    shutil.copytree(f'{s}/vision', f'{d}/vision', dirs_exist_ok=True)
    shutil.copytree(f'{s}/data/images', f'{d}/data/images')
    for f in os.listdir(f'{s}/data'):
        if f.endswith(('.jsonl', '.json', '.parquet')): shutil.copy(f'{s}/data/{f}', f'{d}/data')
    px = read(f'{s}/data/pixels.safetensors'); write(f'{d}/data/pixels.safetensors', {k: v for k, v in px.items() if k in ('i1.u8', 'i4.u8', 'i6.u8', 'i5.u8', 'i1.pixel_values', 'i3.u8')})
    for kind in ('dense', 'moe'):
        for f in os.listdir(f'{s}/{kind}'):
            if f.endswith('.pth') or (f.endswith('.json')): shutil.copy(f'{s}/{kind}/{f}', f'{d}/{kind}')
        full = read(f'{s}/{kind}/forward.safetensors')
        write(f'{d}/{kind}/forward.safetensors', {k: v for k, v in full.items() if k.startswith(KEEP[g])})
        full = read(f'{s}/{kind}/{GRADS[g]}.safetensors')
        write(f'{d}/{kind}/{GRADS[g]}.safetensors', {k: v for k, v in full.items() if k.startswith('grad_preclip.step0')})
