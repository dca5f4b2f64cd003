"""Makes objects.json: what ms-swift's own functions make of rows with objects, for the templates of Qwen2-VL, Qwen2.5-VL and Qwen3-VL in both forms.

bench/peer/python tests/goldens/objects/make.py MS_SWIFT        (a checkout; made with 3602360a5)

Its packages are not imported: the functions are cut out of their files unedited (normalize_bbox, replace_ref, replace_bbox, _get_bbox_str, _pre_tokenize,
_check_objects and the splitting at marks) and run on rows of our own. Pictures are their sizes alone; what Qwen2.5-VL makes of them is Transformers'
smart_resize, after LLaMA-Factory's scaling down to image_max_pixels, which is written out here.
"""
import ast, copy, json, math, os, re, sys
from types import SimpleNamespace
from typing import Any, Dict, List, Literal, Optional, Tuple, Union
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = sys.argv[1]
MOST, LEAST = 768 * 768, 32 * 32


def cut(path, *names):
    """Functions of a file by name, methods as plain functions; the first of each name within its class is Class.name."""
    space = dict(List=List, Dict=Dict, Tuple=Tuple, Any=Any, Literal=Literal, Optional=Optional, Union=Union, Context=Any, StdTemplateInputs=Any, re=re)
    tree = ast.parse(open(os.path.join(ROOT, path)).read())
    found = {}
    for node in ast.walk(tree):
        owner = node.name + '.' if isinstance(node, ast.ClassDef) else ''
        for item in getattr(node, 'body', []) if isinstance(node, (ast.ClassDef, ast.Module)) else []:
            if isinstance(item, ast.FunctionDef) and owner + item.name in names:
                item.decorator_list = []
                exec(compile(ast.Module([item], []), path, 'exec'), space)
                found[owner + item.name] = space[item.name]
    assert set(found) == set(names), set(names) - set(found)
    return found, space


base, base_space = cut('swift/template/base.py', 'Template.normalize_bbox', 'Template._pre_tokenize', 'Template._get_bbox_str', 'Template._split_special_tokens')
qwen, _ = cut('swift/template/templates/qwen.py', 'Qwen2VLTemplate.replace_ref', 'Qwen2VLTemplate.replace_bbox')
core, _ = cut('swift/dataset/preprocessor/core.py', 'RowPreprocessor._check_objects')
utils, _ = cut('swift/template/utils.py', 'split_str_parts_by', '_split_str_by_regex')
base_space.update(split_str_parts_by=utils['split_str_parts_by'], fetch_one=lambda x: x)
utils['split_str_parts_by'].__globals__['_split_str_by_regex'] = utils['_split_str_by_regex']


class Template:
    special_tokens = ['<image>', '<video>', '<audio>', '<bbox>', '<ref-object>', '<cot-process>', '<start-image>']
    task_type = 'causal_lm'
    normalize_bbox = base['Template.normalize_bbox']
    _pre_tokenize = base['Template._pre_tokenize']
    _get_bbox_str = staticmethod(base['Template._get_bbox_str'])
    replace_ref = qwen['Qwen2VLTemplate.replace_ref']
    replace_bbox = qwen['Qwen2VLTemplate.replace_bbox']

    def __init__(self, norm_bbox, bbox_format):
        self.norm_bbox, self.bbox_format = norm_bbox, bbox_format

    def _pre_tokenize_images(self, contexts, scales, inputs):
        return contexts, scales


base_space['Template'] = Template


def seen(width, height):
    """As Qwen2.5-VL's processor leaves a picture."""
    if width * height > MOST:
        factor = math.sqrt(MOST / (width * height))
        width, height = int(width * factor), int(height * factor)
    height, width = smart_resize(height, width, factor=28, min_pixels=3136, max_pixels=12845056)
    return width, height


def fill(template, row):
    objects = copy.deepcopy(row)
    core['RowPreprocessor._check_objects'](objects)
    objects = objects['objects']
    objects['width'], objects['height'] = [w for w, _ in row['sizes']], [h for _, h in row['sizes']]
    images = [SimpleNamespace(width=w, height=h) for w, h in (seen(*size) for size in row['sizes'])]
    inputs = SimpleNamespace(images=images, objects=objects, is_multimodal=True, videos=[], audios=[], ref_idx=0, bbox_idx=0)
    turn = '\x00'
    contexts, scales = base['Template._split_special_tokens']([turn.join(row['texts'])], [1.0])
    contexts, _ = template._pre_tokenize(contexts, scales, inputs)
    return ''.join(contexts).split(turn)


ROWS = [
    dict(sizes=[(1280, 1777)], texts=['<image>Describe the image.', '<ref-object><bbox> and <ref-object><bbox> are playing on the beach'],
         objects=dict(ref=['a dog', 'a woman'], bbox=[[331.5, 761.4, 853.5, 1594.8], [676.5, 685.8, 1099.5, 1427.4]])),
    dict(sizes=[(640, 533)], texts=['<image>Find the <ref-object> in the image', '<bbox><bbox>'],
         objects=dict(ref=['sheep'], bbox=[[90.9, 160.8, 135, 212.8], [360.9, 480.8, 495, 532.8]])),
    dict(sizes=[(2500, 1240)], texts=['<image>Help me open Google Chrome', "Action: click(start_box='<bbox>')"], objects=dict(ref=[], bbox=[[615, 226]])),
    dict(sizes=[(700, 600)], json=True, texts=['<image>Locate the <ref-object> in the image',
         '[\n\t{"bbox_2d": <bbox>, "label": "<ref-object>"},\n\t{"bbox_2d": <bbox>, "label": "<ref-object>"}\n]'],
         objects=dict(ref=['sheep', 'sheep', 'sheep'], bbox=[[90.9, 160.8, 135, 212.8], [360.9, 480.8, 495, 532.8]])),
    dict(sizes=[(333, 217)], texts=['<image>Where?', 'At <bbox>, pointing to <bbox>.'],
         objects=dict(ref=[], bbox=[[0.125, 0.2505, 0.9995, 1], [0.5, 0.0005]], bbox_type='norm1')),
    dict(sizes=[(640, 480), (111, 999)], texts=['<image><image>What is at <bbox> in the second?', 'The same as <bbox> in the first, <ref-object>.'],
         objects=dict(ref=['a cup'], bbox=[[10, 20, 110.5, 998.5], [639.5, 479.5, 0.5, 240]], image_id=[1, 0])),
    dict(sizes=[(29, 31)], texts=['<image>Small', '<bbox>'], objects=dict(ref=[], bbox=[[0, 0, 29, 31]])),
    dict(sizes=[(4000, 500)], texts=['<image>Halves', '<bbox><bbox>'], objects=dict(ref=[], bbox=[[2, 1, 6, 3], [10, 0.25, 14, 0.75]])),
]
result = []
for row in ROWS:
    made = {}
    for name, norm in (('qwen2_vl', 'norm1000'), ('qwen2_5_vl', 'none'), ('qwen3_vl', 'norm1000')):
        for form in ('legacy', 'new'):
            made[f'{name}/{form}'] = fill(Template(norm, form), row)
    result.append({**row, 'made': made})
text = json.dumps(result, ensure_ascii=False)
open(os.path.join(HERE, 'objects.json'), 'w').write(text.replace('}}, {"sizes"', '}},\n{"sizes"') + '\n')
