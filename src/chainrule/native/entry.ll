; The Python-callable entry of a bound step: entry.py tells what the blocks mean. It knows the objects of CPython and
; NumPy that Python code cannot change behind our back: the head of an object, the fields of an ndarray.

;                   error scratch bytes thread busy reserved
%Context = type { i64, ptr, i64, i64, i64, i64, i64, i64 }
;                  count  type
%Object = type { i64, ptr }
;                               data nd   dims strides base descr flags
%Array = type { %Object, ptr, i32, ptr, ptr, ptr, ptr, i32 }
%Entry = type {
  i64, ptr, ptr,      ; 0 how many arguments, 1 arguments, 2 patches
  i64, ptr,           ; 3 how many states, 4 states
  i64, ptr, ptr,      ; 5 how many slots get a number, 6 their addresses, 7 what makes the number
  ptr, i64, i64, ptr, ; 8 rows, 9 first, 10 last, 11 context
  i64, ptr, ptr, ptr, ; 12 whether it is long, 13 team or null, 14 the type of ndarrays, 15 what runs the rows
  i64, ptr, ptr       ; 16 how many results, 17 results, 18 numpy.empty
}
;                    kind expected; its patches: first, end
%Argument = type { i64, ptr, i64, i64 }
;                 where offset
%Patch = type { ptr, i64 }
;                 slot object references layout data
%State = type { ptr, ptr, i64, ptr, ptr }
;                shape dtype layout; patches: first, end
%Result = type { ptr, ptr, ptr, i64, i64 }
;                 dtype flags ndim; lengths and strides follow
%Layout = type { ptr, i64, i64, [0 x i64] }

@PyFloat_Type = external global i8
@PyLong_Type = external global i8
declare double @PyFloat_AsDouble(ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)

; PyObject *entry(PyObject *self, PyObject *const *args, Py_ssize_t nargs): METH_FASTCALL. `self` is an ndarray that
; holds the block. Returns the results (one as it is, several as a tuple), or the code as an int: 0 fine, without results;
; positive from a kernel; negative: nothing was done.
define ptr @entry(ptr %self, ptr %given, i64 %count) {
  %block.at = getelementptr %Array, ptr %self, i64 0, i32 1
  %block = load ptr, ptr %block.at
  %wanted = load i64, ptr %block
  %right = icmp eq i64 %count, %wanted
  br i1 %right, label %prepare, label %mismatch
mismatch:
  %minus.one = call ptr @PyLong_FromLongLong(i64 -1)
  ret ptr %minus.one
prepare:
  ; Results first: to make an object might run the garbage collector, and with it any Python code. Nothing of the kind
  ; comes between the checks and the run.
  %result.count.at = getelementptr %Entry, ptr %block, i64 0, i32 16
  %result.count = load i64, ptr %result.count.at
  %results = alloca ptr, i64 %result.count
  %made = call i64 @make_results(ptr %block, ptr %results)
  %complete = icmp eq i64 %made, %result.count
  br i1 %complete, label %ask, label %incomplete
incomplete:
  call void @drop(ptr %results, i64 %made)
  ret ptr null
ask:
  ; The context, and with it all memory of the step, is this call's until it is done.
  %context.at = getelementptr %Entry, ptr %block, i64 0, i32 11
  %context = load ptr, ptr %context.at
  %busy = getelementptr %Context, ptr %context, i64 0, i32 4
  %was = cmpxchg ptr %busy, i64 0, i64 1 seq_cst seq_cst
  %free = extractvalue { i64, i1 } %was, 1
  br i1 %free, label %checks, label %tell
checks:
  %refused = call i64 @refused(ptr %block, ptr %given, ptr %results)
  %accepted = icmp eq i64 %refused, 0
  br i1 %accepted, label %go, label %leave
leave:
  store atomic i64 0, ptr %busy release, align 8
  br label %tell
go:
  call void @patch(ptr %block, ptr %given, ptr %results)
  %code = call i64 @run_entry(ptr %block, ptr %context)
  store atomic i64 0, ptr %busy release, align 8
  %fine = icmp eq i64 %code, 0
  br i1 %fine, label %number, label %tell
number:
  %numbered = call i1 @renumber(ptr %block)
  br i1 %numbered, label %hand.over, label %raise
raise:
  call void @drop(ptr %results, i64 %result.count)
  ret ptr null
hand.over:
  switch i64 %result.count, label %several [ i64 0, label %tell
                                             i64 1, label %one ]
one:
  %only = load ptr, ptr %results
  ret ptr %only
several:
  %tuple = call ptr @tuple(ptr %results, i64 %result.count)
  ret ptr %tuple
tell:
  %told = phi i64 [ -3, %ask ], [ %refused, %leave ], [ %code, %go ], [ 0, %hand.over ]
  call void @drop(ptr %results, i64 %result.count)
  %answer = call ptr @PyLong_FromLongLong(i64 %told)
  ret ptr %answer
}

; New arrays for the results; how many could be made (if not all, Python has set the exception).
define internal i64 @make_results(ptr %block, ptr %results) alwaysinline {
start:
  %count.at = getelementptr %Entry, ptr %block, i64 0, i32 16
  %count = load i64, ptr %count.at
  %rows.at = getelementptr %Entry, ptr %block, i64 0, i32 17
  %rows = load ptr, ptr %rows.at
  %empty.at = getelementptr %Entry, ptr %block, i64 0, i32 18
  %empty = load ptr, ptr %empty.at
  br label %next
next:
  %k = phi i64 [ 0, %start ], [ %after, %good ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %end
one:
  %shape.and.dtype = getelementptr %Result, ptr %rows, i64 %k ; which begins with the two arguments
  %object = call ptr @PyObject_Vectorcall(ptr %empty, ptr %shape.and.dtype, i64 2, ptr null)
  %place = getelementptr ptr, ptr %results, i64 %k
  store ptr %object, ptr %place
  %failed = icmp eq ptr %object, null
  br i1 %failed, label %end, label %good
good:
  %after = add i64 %k, 1
  br label %next
end:
  ret i64 %k
}

define internal void @drop(ptr %objects, i64 %count) {
start:
  br label %next
next:
  %k = phi i64 [ 0, %start ], [ %after, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %end
one:
  %place = getelementptr ptr, ptr %objects, i64 %k
  %object = load ptr, ptr %place
  call void @Py_DecRef(ptr %object)
  %after = add i64 %k, 1
  br label %next
end:
  ret void
}

; A tuple that takes over the objects; null (and an exception) if Python has no memory.
define internal ptr @tuple(ptr %objects, i64 %count) {
start:
  %tuple = call ptr @PyTuple_New(i64 %count)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %give.up, label %next
give.up:
  call void @drop(ptr %objects, i64 %count)
  ret ptr null
next:
  %k = phi i64 [ 0, %start ], [ %after, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %end
one:
  %place = getelementptr ptr, ptr %objects, i64 %k
  %object = load ptr, ptr %place
  %set = call i32 @PyTuple_SetItem(ptr %tuple, i64 %k, ptr %object)
  %after = add i64 %k, 1
  br label %next
end:
  ret ptr %tuple
}

; 0 if the step can run: -4 without a team where one is wanted, -2 if a state is not as it was, -1 for wrong arguments.
define internal i64 @refused(ptr %block, ptr %given, ptr %results) alwaysinline {
start:
  %team.at = getelementptr %Entry, ptr %block, i64 0, i32 13
  %team.block = load ptr, ptr %team.at
  %no.team = icmp eq ptr %team.block, null
  %ndarray.at = getelementptr %Entry, ptr %block, i64 0, i32 14
  %ndarray = load ptr, ptr %ndarray.at
  %states.at = getelementptr %Entry, ptr %block, i64 0, i32 4
  %states = load ptr, ptr %states.at
  %state.count.at = getelementptr %Entry, ptr %block, i64 0, i32 3
  %state.count = load i64, ptr %state.count.at
  %arguments.at = getelementptr %Entry, ptr %block, i64 0, i32 1
  %arguments = load ptr, ptr %arguments.at
  %argument.count = load i64, ptr %block
  %result.count.at = getelementptr %Entry, ptr %block, i64 0, i32 16
  %result.count = load i64, ptr %result.count.at
  %result.rows.at = getelementptr %Entry, ptr %block, i64 0, i32 17
  %result.rows = load ptr, ptr %result.rows.at
  br i1 %no.team, label %next.state, label %team
team:
  %size = load i64, ptr %team.block
  %asleep = icmp eq i64 %size, 0
  br i1 %asleep, label %end, label %next.state
next.state:
  %s = phi i64 [ 0, %start ], [ 0, %team ], [ %s.after, %state.good ]
  %more.states = icmp ult i64 %s, %state.count
  br i1 %more.states, label %state, label %next.argument
state:
  %state.at = getelementptr %State, ptr %states, i64 %s
  %same = call i1 @unchanged(ptr %state.at, ptr %ndarray)
  br i1 %same, label %state.good, label %end
state.good:
  %s.after = add i64 %s, 1
  br label %next.state
next.argument:
  %a = phi i64 [ 0, %next.state ], [ %a.after, %argument.good ]
  %more.arguments = icmp ult i64 %a, %argument.count
  br i1 %more.arguments, label %argument, label %next.result
argument:
  %argument.at = getelementptr %Argument, ptr %arguments, i64 %a
  %object.at = getelementptr ptr, ptr %given, i64 %a
  %object = load ptr, ptr %object.at
  %good = call i1 @suits(ptr %argument.at, ptr %object, ptr %ndarray)
  br i1 %good, label %argument.good, label %end
argument.good:
  %a.after = add i64 %a, 1
  br label %next.argument
next.result:
  %r = phi i64 [ 0, %next.argument ], [ %r.after, %result.good ]
  %more.results = icmp ult i64 %r, %result.count
  br i1 %more.results, label %result, label %end
result:
  %layout.at = getelementptr %Result, ptr %result.rows, i64 %r, i32 2
  %layout = load ptr, ptr %layout.at
  %made.at = getelementptr ptr, ptr %results, i64 %r
  %made = load ptr, ptr %made.at
  %usable = call i1 @fits(ptr %made, ptr %layout, ptr %ndarray)
  br i1 %usable, label %result.good, label %end
result.good:
  %r.after = add i64 %r, 1
  br label %next.result
end:
  %answer = phi i64 [ -4, %team ], [ -2, %state ], [ -1, %argument ], [ 0, %next.result ], [ -1, %result ]
  ret i64 %answer
}

; Whether a slot still holds the array it held, as it was, and nobody else has taken a reference.
define internal i1 @unchanged(ptr %state, ptr %ndarray) alwaysinline {
start:
  %slot = load ptr, ptr %state
  %object.at = getelementptr %State, ptr %state, i64 0, i32 1
  %object = load ptr, ptr %object.at
  %held = icmp eq ptr %slot, null ; the array itself is captured, not the slot it is in
  br i1 %held, label %count, label %look
look:
  %holds = load ptr, ptr %slot
  %same = icmp eq ptr %holds, %object
  br i1 %same, label %count, label %no
count:
  %references.at = getelementptr %State, ptr %state, i64 0, i32 2
  %references = load i64, ptr %references.at
  %now = load i64, ptr %object
  %equal = icmp eq i64 %now, %references
  %any = icmp slt i64 %references, 0
  %unshared = or i1 %equal, %any
  br i1 %unshared, label %layout, label %no
layout:
  %layout.at = getelementptr %State, ptr %state, i64 0, i32 3
  %layout.block = load ptr, ptr %layout.at
  %fits = call i1 @fits(ptr %object, ptr %layout.block, ptr %ndarray)
  br i1 %fits, label %where, label %no
where:
  ; An array that was freed may have a successor in the same place, with its elements elsewhere.
  %data.at = getelementptr %Array, ptr %object, i64 0, i32 1
  %data = load ptr, ptr %data.at
  %data.known.at = getelementptr %State, ptr %state, i64 0, i32 4
  %data.known = load ptr, ptr %data.known.at
  %in.place = icmp eq ptr %data, %data.known
  ret i1 %in.place
no:
  ret i1 false
}

; Whether an object can be argument 0: an ndarray of a layout, 1: a Python float, 2: a Python int of 64 bits, 3: this
; very object.
define internal i1 @suits(ptr %argument, ptr %object, ptr %ndarray) alwaysinline {
start:
  %overflow = alloca i32
  %kind = load i64, ptr %argument
  %expected.at = getelementptr %Argument, ptr %argument, i64 0, i32 1
  %expected = load ptr, ptr %expected.at
  %type.at = getelementptr %Object, ptr %object, i64 0, i32 1
  %type = load ptr, ptr %type.at
  switch i64 %kind, label %no [ i64 0, label %array
                                i64 1, label %float
                                i64 2, label %int
                                i64 3, label %same ]
array:
  %fits = call i1 @fits(ptr %object, ptr %expected, ptr %ndarray)
  ret i1 %fits
float:
  %is.float = icmp eq ptr %type, @PyFloat_Type
  ret i1 %is.float
int:
  %is.int = icmp eq ptr %type, @PyLong_Type
  br i1 %is.int, label %range, label %no
range:
  %value = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %beyond = load i32, ptr %overflow
  %within = icmp eq i32 %beyond, 0
  ret i1 %within
same:
  %is.same = icmp eq ptr %object, %expected
  ret i1 %is.same
no:
  ret i1 false
}

; Whether an object is an ndarray of exactly this dtype and shape, with the flags and strides asked for.
define internal i1 @fits(ptr %object, ptr %layout, ptr %ndarray) alwaysinline {
start:
  %type.at = getelementptr %Object, ptr %object, i64 0, i32 1
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, %ndarray
  br i1 %is.array, label %look, label %no
look:
  %dtype.at = getelementptr %Array, ptr %object, i64 0, i32 6
  %dtype = load ptr, ptr %dtype.at
  %dtype.wanted = load ptr, ptr %layout
  %dtype.right = icmp eq ptr %dtype, %dtype.wanted
  %flags.at = getelementptr %Array, ptr %object, i64 0, i32 7
  %flags = load i32, ptr %flags.at
  %flags.wide = zext i32 %flags to i64
  %flags.wanted.at = getelementptr %Layout, ptr %layout, i64 0, i32 1
  %flags.wanted = load i64, ptr %flags.wanted.at
  %flags.got = and i64 %flags.wide, %flags.wanted
  %flags.right = icmp eq i64 %flags.got, %flags.wanted
  %ndim.at = getelementptr %Array, ptr %object, i64 0, i32 2
  %ndim = load i32, ptr %ndim.at
  %ndim.wide = zext i32 %ndim to i64
  %ndim.wanted.at = getelementptr %Layout, ptr %layout, i64 0, i32 2
  %ndim.wanted = load i64, ptr %ndim.wanted.at
  %ndim.right = icmp eq i64 %ndim.wide, %ndim.wanted
  %both = and i1 %dtype.right, %flags.right
  %all = and i1 %both, %ndim.right
  br i1 %all, label %axes, label %no
axes:
  %lengths.at = getelementptr %Array, ptr %object, i64 0, i32 3
  %lengths = load ptr, ptr %lengths.at
  %strides.at = getelementptr %Array, ptr %object, i64 0, i32 4
  %strides = load ptr, ptr %strides.at
  %c.contiguous = and i64 %flags.wanted, 1
  %any.strides = icmp ne i64 %c.contiguous, 0 ; the flag has settled it
  br label %next
next:
  %axis = phi i64 [ 0, %axes ], [ %after, %good ]
  %more = icmp ult i64 %axis, %ndim.wide
  br i1 %more, label %compare, label %yes
compare:
  %length.at = getelementptr i64, ptr %lengths, i64 %axis
  %length = load i64, ptr %length.at
  %length.wanted.at = getelementptr %Layout, ptr %layout, i64 0, i32 3, i64 %axis
  %length.wanted = load i64, ptr %length.wanted.at
  %length.right = icmp eq i64 %length, %length.wanted
  br i1 %length.right, label %step, label %no
step:
  %stride.at = getelementptr i64, ptr %strides, i64 %axis
  %stride = load i64, ptr %stride.at
  %index = add i64 %ndim.wide, %axis
  %stride.wanted.at = getelementptr %Layout, ptr %layout, i64 0, i32 3, i64 %index
  %stride.wanted = load i64, ptr %stride.wanted.at
  %stride.equal = icmp eq i64 %stride, %stride.wanted
  %never.used = icmp ule i64 %length, 1
  %stride.good = or i1 %stride.equal, %never.used
  %stride.right = or i1 %stride.good, %any.strides
  br i1 %stride.right, label %good, label %no
good:
  %after = add i64 %axis, 1
  br label %next
yes:
  ret i1 true
no:
  ret i1 false
}

; Write each argument's data pointer (plus an offset), or its value, to where the kernels look for it.
define internal void @patch(ptr %block, ptr %given, ptr %results) alwaysinline {
start:
  %overflow = alloca i32
  %count = load i64, ptr %block
  %arguments.at = getelementptr %Entry, ptr %block, i64 0, i32 1
  %arguments = load ptr, ptr %arguments.at
  %patches.at = getelementptr %Entry, ptr %block, i64 0, i32 2
  %patches = load ptr, ptr %patches.at
  %result.count.at = getelementptr %Entry, ptr %block, i64 0, i32 16
  %result.count = load i64, ptr %result.count.at
  %result.rows.at = getelementptr %Entry, ptr %block, i64 0, i32 17
  %result.rows = load ptr, ptr %result.rows.at
  br label %next
next:
  %a = phi i64 [ 0, %start ], [ %a.after, %done ]
  %more = icmp ult i64 %a, %count
  br i1 %more, label %argument, label %next.result
argument:
  %argument.at = getelementptr %Argument, ptr %arguments, i64 %a
  %object.at = getelementptr ptr, ptr %given, i64 %a
  %object = load ptr, ptr %object.at
  %kind = load i64, ptr %argument.at
  %first.at = getelementptr %Argument, ptr %argument.at, i64 0, i32 2
  %first = load i64, ptr %first.at
  %last.at = getelementptr %Argument, ptr %argument.at, i64 0, i32 3
  %last = load i64, ptr %last.at
  switch i64 %kind, label %done [ i64 0, label %array
                                  i64 1, label %float
                                  i64 2, label %int ]
array:
  %data.at = getelementptr %Array, ptr %object, i64 0, i32 1
  %data = load i64, ptr %data.at
  br label %write
float:
  %double = call double @PyFloat_AsDouble(ptr %object)
  %bits = bitcast double %double to i64
  br label %write
int:
  %int.value = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  br label %write
write:
  %value = phi i64 [ %data, %array ], [ %bits, %float ], [ %int.value, %int ]
  call void @write(ptr %patches, i64 %first, i64 %last, i64 %value)
  br label %done
done:
  %a.after = add i64 %a, 1
  br label %next
next.result:
  %r = phi i64 [ 0, %next ], [ %r.after, %result ]
  %more.results = icmp ult i64 %r, %result.count
  br i1 %more.results, label %result, label %end
result:
  %made.at = getelementptr ptr, ptr %results, i64 %r
  %made = load ptr, ptr %made.at
  %memory.at = getelementptr %Array, ptr %made, i64 0, i32 1
  %memory = load i64, ptr %memory.at
  %from.at = getelementptr %Result, ptr %result.rows, i64 %r, i32 3
  %from = load i64, ptr %from.at
  %to.at = getelementptr %Result, ptr %result.rows, i64 %r, i32 4
  %to = load i64, ptr %to.at
  call void @write(ptr %patches, i64 %from, i64 %to, i64 %memory)
  %r.after = add i64 %r, 1
  br label %next.result
end:
  ret void
}

define internal void @write(ptr %patches, i64 %first, i64 %last, i64 %value) alwaysinline {
start:
  br label %next
next:
  %p = phi i64 [ %first, %start ], [ %after, %one ]
  %more = icmp ult i64 %p, %last
  br i1 %more, label %one, label %end
one:
  %patch.at = getelementptr %Patch, ptr %patches, i64 %p
  %where = load ptr, ptr %patch.at
  %offset.at = getelementptr %Patch, ptr %patch.at, i64 0, i32 1
  %offset = load i64, ptr %offset.at
  %sum = add i64 %value, %offset
  store i64 %sum, ptr %where
  %after = add i64 %p, 1
  br label %next
end:
  ret void
}

; A long step lets other Python threads run meanwhile. They might assign to a state: it is held, so that they write into
; a new buffer and leave ours alone.
define internal i64 @run_entry(ptr %block, ptr %context) alwaysinline {
start:
  %long.at = getelementptr %Entry, ptr %block, i64 0, i32 12
  %long = load i64, ptr %long.at
  %short = icmp eq i64 %long, 0
  br i1 %short, label %hold.on, label %let.go
hold.on:
  %code.held = call i64 @run_rows(ptr %block, ptr %context)
  ret i64 %code.held
let.go:
  call void @each_state(ptr %block, ptr @Py_IncRef)
  %thread = call ptr @PyEval_SaveThread()
  %code = call i64 @run_rows(ptr %block, ptr %context)
  call void @PyEval_RestoreThread(ptr %thread)
  call void @each_state(ptr %block, ptr @Py_DecRef)
  ret i64 %code
}

; The table, through the function that was chosen when the step was bound.
define internal i64 @run_rows(ptr %block, ptr %context) alwaysinline {
  %rows.at = getelementptr %Entry, ptr %block, i64 0, i32 8
  %rows = load ptr, ptr %rows.at
  %first.at = getelementptr %Entry, ptr %block, i64 0, i32 9
  %first = load i64, ptr %first.at
  %last.at = getelementptr %Entry, ptr %block, i64 0, i32 10
  %last = load i64, ptr %last.at
  %team.at = getelementptr %Entry, ptr %block, i64 0, i32 13
  %team = load ptr, ptr %team.at
  %run.at = getelementptr %Entry, ptr %block, i64 0, i32 15
  %run = load ptr, ptr %run.at
  %code = call i64 %run(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context)
  ret i64 %code
}

define internal void @each_state(ptr %block, ptr %function) {
start:
  %count.at = getelementptr %Entry, ptr %block, i64 0, i32 3
  %count = load i64, ptr %count.at
  %states.at = getelementptr %Entry, ptr %block, i64 0, i32 4
  %states = load ptr, ptr %states.at
  br label %next
next:
  %s = phi i64 [ 0, %start ], [ %after, %one ]
  %more = icmp ult i64 %s, %count
  br i1 %more, label %one, label %end
one:
  %object.at = getelementptr %State, ptr %states, i64 %s, i32 1
  %object = load ptr, ptr %object.at
  call void %function(ptr %object)
  %after = add i64 %s, 1
  br label %next
end:
  ret void
}

; Put a new number into the slots. False if Python could not make one (it has set the exception).
define internal i1 @renumber(ptr %block) {
start:
  %count.at = getelementptr %Entry, ptr %block, i64 0, i32 5
  %count = load i64, ptr %count.at
  %none = icmp eq i64 %count, 0
  br i1 %none, label %yes, label %make
make:
  %maker.at = getelementptr %Entry, ptr %block, i64 0, i32 7
  %maker = load ptr, ptr %maker.at
  %slots.at = getelementptr %Entry, ptr %block, i64 0, i32 6
  %slots = load ptr, ptr %slots.at
  %number = call ptr @PyObject_CallNoArgs(ptr %maker)
  %failed = icmp eq ptr %number, null
  br i1 %failed, label %no, label %next
next:
  %s = phi i64 [ 0, %make ], [ %after, %one ]
  %more = icmp ult i64 %s, %count
  br i1 %more, label %one, label %end
one:
  %slot.at = getelementptr ptr, ptr %slots, i64 %s
  %slot = load ptr, ptr %slot.at
  call void @Py_IncRef(ptr %number)
  %old = load ptr, ptr %slot
  store ptr %number, ptr %slot
  call void @Py_DecRef(ptr %old)
  %after = add i64 %s, 1
  br label %next
end:
  call void @Py_DecRef(ptr %number)
  br label %yes
yes:
  ret i1 true
no:
  ret i1 false
}
